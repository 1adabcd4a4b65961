"""What happens to an object of ours wakes its job, and what happens to any other wakes nobody."""

import json

import pytest
from attempts import RUN, spec

from windlass.informers import Added, Deleted, Job, Key, Object, Pod, Updated
from windlass.informers.store import StoreWriter
from windlass.operators.training.childwatch import ChildWatch
from windlass.operators.training.executors.kubernetes_job import KUBERNETES_JOB
from windlass.operators.training.queues.kueue import workload_kind


def seen(**annotations):
    body = json.loads(KUBERNETES_JOB.render(spec(), RUN).manifest)
    body["metadata"] |= {"uid": "u", "resourceVersion": "1"} | annotations
    return Object.parse(json.dumps(body).encode())


OURS, OTHER = seen(), seen(annotations={"note": "somebody else's"})


@pytest.mark.parametrize(
    "change", [Added(OURS), Updated(OURS, OURS), Deleted(OURS)], ids=lambda one: type(one).__name__
)
def test_every_change_of_an_object_of_ours_wakes_its_job(change):
    woken = []

    ChildWatch(woken.append, lambda: None)._tell(change)

    assert woken == [Key("ml", "digits")]


@pytest.mark.parametrize("change", [Added(OTHER), Deleted(OTHER)], ids=["new", "gone"])
def test_an_object_that_names_no_job_wakes_nobody(change):
    woken = []

    ChildWatch(woken.append, lambda: None)._tell(change)

    assert woken == []


def test_before_a_kind_is_followed_nothing_is_known_of_it():
    watch = ChildWatch(lambda _: None, lambda: None)

    assert watch.get(Pod, Key("ml", "a")) is None
    assert watch.of_run(Pod, RUN.id) is None
    assert repr(watch) == "<ChildWatch of nothing yet>"


def test_what_somebody_else_makes_of_our_object_wakes_the_job_and_what_is_made_of_another_does_not():
    """As Kueue makes a Workload of a Job."""
    woken = []
    watch = ChildWatch(woken.append, lambda: None)
    watch.follow(Job)
    StoreWriter(watch._informers[Job].store).put(OURS)

    for name, controls in ((OURS.name, True), (OURS.name, False), ("another", True)):
        watch._tell(Added(made_of(name, controller=controls)))

    assert woken == [Key("ml", "digits")]


def made_of(owner, *, controller):
    reference = {"apiVersion": "batch/v1", "kind": "Job", "name": owner, "uid": "u", "controller": controller}
    metadata = {"name": "job-a", "namespace": "ml", "uid": "w", "resourceVersion": "1", "ownerReferences": [reference]}
    body = {"apiVersion": "kueue.x-k8s.io/v1beta2", "kind": "Workload", "metadata": metadata}
    return Object.parse(json.dumps(body).encode(), workload_kind("v1beta2"))
