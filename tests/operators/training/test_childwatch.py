"""What happens to an object of ours wakes its job, and what happens to any other wakes nobody."""

import json

import pytest
from attempts import RUN, spec

from windlass.informers import Added, Deleted, Key, Object, Pod, Updated
from windlass.operators.training.childwatch import ChildWatch
from windlass.operators.training.executors.kubernetes_job import KUBERNETES_JOB


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
