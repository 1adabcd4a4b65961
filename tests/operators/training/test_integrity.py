"""A status that cannot be true stops the work on its job, says why, and is never reset (G4)."""

import contextlib
import copy

import attrs
import pytest
from servers import open_server
from training_jobs import DATA, PHASES, RUN, condition, facts, job_in, new_job, write

from windlass.controller import ExecutorRegistry, Manager
from windlass.envtest.kit.waiting import eventually
from windlass.informers.api import Api
from windlass.informers.builtins import CustomResourceDefinition
from windlass.informers.client import Client
from windlass.informers.cluster import Cluster
from windlass.informers.errors import NotFound
from windlass.informers.keys import Key
from windlass.informers.requests import PatchType
from windlass.manifests import crd
from windlass.manifests.install import install
from windlass.operators.training import TrainingJob, TrainingSettings, sample_job, setup, write_sample_table
from windlass.operators.training.decision import Wait, decide
from windlass.operators.training.decision.integrity import fault_in

RESOURCE = TrainingJob.__windlass_resource__


def with_status(job, **changes):
    return attrs.evolve(job, status=attrs.evolve(job.status, **changes))


def with_run(job, **changes):
    return with_status(job, run=attrs.evolve(job.status.run, **changes))


@pytest.mark.parametrize("phase", PHASES)
def test_what_decisions_make_is_never_doubted(phase):
    assert fault_in(job_in(phase)) is None


CORRUPT = {
    "a generation to come": (lambda: with_status(job_in("Queued"), observed_generation=7), "status.observedGeneration"),
    "a life to come": (lambda: with_status(job_in("Queued"), life_generation=7), "status.lifeGeneration"),
    "no data": (lambda: with_status(job_in("Queued"), data=None), "status.data: expected a pinned version"),
    "no run": (lambda: with_status(job_in("Validating"), run=None), "status.run: expected a run on record"),
    "no conditions": (lambda: with_status(job_in("Running"), conditions=()), "status.conditions: expected those of"),
    "another job's run": (lambda: with_run(job_in("Running"), id="tj-other"), "status.run.id: expected "),
    "another attempt": (lambda: with_run(job_in("Running"), attempt=5), "status.run.opId: expected "),
}


@pytest.mark.parametrize("case", CORRUPT)
def test_a_status_that_contradicts_itself_is_told_once_and_nothing_else_is_done(case):
    make, said = CORRUPT[case]
    before = make()

    told = write(before)

    assert condition(told, "StateCorrupt").status == "True"
    assert condition(told, "StateCorrupt").message.startswith(said)
    assert (condition(told, "Stalled").status, condition(told, "Reconciling").status) == ("True", "False")
    assert attrs.evolve(told.status, conditions=()) == attrs.evolve(before.status, conditions=()), "no silent reset"
    assert decide(told, facts()) == Wait()


def test_a_status_that_was_put_right_goes_on_where_it_was():
    sound = job_in("Queued")
    told = write(with_status(sound, data=None))

    mended = write(with_status(told, data=DATA))

    assert condition(mended, "StateCorrupt").status == "False"
    assert condition(mended, "Stalled").status == "False"
    assert write(mended).status.phase == write(sound).status.phase == "Running"


def test_a_status_that_was_emptied_is_no_beginning_and_says_what_to_do():
    """G4: read as new, the job would be trained again under a name that has its records already."""
    told = write(new_job(), traces=(RUN,))

    assert condition(told, "StateCorrupt").message == (
        f"status: expected the record of the run {RUN}, which has left its folder, found none; put the status back as "
        "it was, or delete the job and create it anew"
    )
    assert (condition(told, "Stalled").status, told.status.runs, told.status.run) == ("True", 0, None)
    assert decide(told, facts(traces=(RUN,))) == Wait()

    restored = with_status(job_in("Succeeded"), conditions=(*job_in("Succeeded").status.conditions, *told_of(told)))
    assert condition(write(restored), "StateCorrupt").status == "False"


def told_of(job):
    return [one for one in job.status.conditions if one.type == "StateCorrupt"]


def test_a_job_that_has_ended_is_left_alone():
    assert fault_in(with_status(job_in("Succeeded"), run=None)) is None


@contextlib.asynccontextmanager
async def operated(tmp_path):
    """The operator on an embedded server whose definition says nothing of the status, as one of other times may not."""
    write_sample_table(tmp_path / "digits")
    loose = crd(TrainingJob)
    for version in loose["spec"]["versions"]:
        open_ended = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
        version["schema"]["openAPIV3Schema"]["properties"]["status"] = open_ended
    settings = TrainingSettings(
        tmp_path / "state", tmp_path / "models", executors=ExecutorRegistry(discover=lambda: ())
    )
    async with open_server("embedded") as server:
        cluster = Cluster.from_dict(server.kubeconfig())
        async with Client(cluster) as client:
            api = Api(client)
            await install(api, [TrainingJob])
            stored = await api.get(CustomResourceDefinition, Key("", loose["metadata"]["name"]))
            loose["metadata"]["resourceVersion"] = stored.resource_version
            await api.replace(CustomResourceDefinition, loose)
            manager = Manager(cluster=cluster)
            setup(manager, settings)
            yield api, manager


@pytest.mark.realtime
async def test_a_status_that_cannot_be_read_stops_the_job_which_can_still_be_deleted(tmp_path):
    key = Key("default", "digits")
    async with operated(tmp_path) as (api, manager):
        job = copy.deepcopy(sample_job((tmp_path / "digits").as_uri()))
        await api.create(TrainingJob, job, namespace="default")
        status = {"phase": "Running", "runs": "many", "conditions": [{"type": "Mine", "status": "True"}]}
        await api.patch(RESOURCE, key, {"status": status}, type=PatchType.MERGE, subresource="status")
        async with manager:
            told = await eventually(lambda: conditions(api, key, "StateCorrupt"))
            found = (await api.get(RESOURCE, key)).to_dict()
            await api.delete(RESOURCE, key)
            await eventually(lambda: gone(api, key))

    assert told["status"] == "True"
    assert told["message"].startswith("the status cannot be read: ")
    assert "runs" in told["message"]
    assert (found["status"]["runs"], found["status"]["phase"]) == ("many", "Running"), "no silent reset"
    assert found["status"]["conditions"][0]["type"] == "Mine"
    assert not (tmp_path / "state" / "runs").exists()


async def conditions(api, key, kind):
    found = (await api.get(RESOURCE, key)).to_dict().get("status", {}).get("conditions", [])
    return next((one for one in found if one["type"] == kind), None)


async def gone(api, key):
    try:
        await api.get(RESOURCE, key)
    except NotFound:
        return True
    return False
