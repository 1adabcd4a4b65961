"""The executor `trainjob` is pure: what it renders, and what it makes of a TrainJob and its Pods (A6, A9)."""

import itertools
import json
import re

import attrs
import pytest
from attempts import RUN, WORKLOAD, pod, spec
from rendered_jobs import FULL, child, conditions, is_golden, rendered

from windlass.informers.keys import Key
from windlass.operators.errors import HyperparametersInvalid
from windlass.operators.training.executors.exits import Exit
from windlass.operators.training.executors.objects import AtWork, Ended, Finished, Waiting
from windlass.operators.training.executors.trainjob import TRAINJOB, _patch
from windlass.operators.training.runfolder import Progress

ACTIVE = [{"name": "node", "active": 1, "ready": 0, "succeeded": 0, "failed": 0, "suspended": 0}]
IDLE = [{"name": "node", "active": 0, "ready": 0, "succeeded": 0, "failed": 0, "suspended": 0}]


def pod_patch(manifest):
    (patch,) = manifest["spec"]["runtimePatches"]
    (step,) = patch["trainingRuntimeSpec"]["template"]["spec"]["replicatedJobs"]
    assert step["name"] == "node"
    return step["template"]["spec"]["template"]


def test_what_it_renders_is_the_golden_file_byte_for_byte():
    """A6."""
    assert is_golden(TRAINJOB, executor_config={"runtime": "torch-tuned", "numProcPerNode": 4})


def test_its_runtime_is_the_usual_one_unless_another_is_named():
    assert rendered(TRAINJOB)["spec"]["runtimeRef"] == {
        "apiGroup": "trainer.kubeflow.org",
        "kind": "ClusterTrainingRuntime",
        "name": "torch-distributed",
    }
    named = rendered(TRAINJOB, executor_config={"runtime": "mine", "runtimeKind": "TrainingRuntime"})
    assert (named["spec"]["runtimeRef"]["kind"], named["spec"]["runtimeRef"]["name"]) == ("TrainingRuntime", "mine")


def test_its_trainer_is_told_the_contract():
    """A8."""
    told = {one["name"]: one.get("value") for one in rendered(TRAINJOB)["spec"]["trainer"]["env"]}

    assert (told["RESUME_FROM_STEP"], told["WANDB_RESUME"], told["WINDLASS_NODES"]) == ("40", "allow", "1")
    assert told["WINDLASS_ATTEMPT"] == RUN.op_id


def test_a_variable_stands_once_for_they_are_a_map_and_ours_count():
    mine = attrs.evolve(WORKLOAD, env=({"name": "WANDB_RESUME", "value": "must"}, {"name": "A", "value": "1"}))
    env = rendered(TRAINJOB, workload=mine)["spec"]["trainer"]["env"]

    assert [one["value"] for one in env if one["name"] == "WANDB_RESUME"] == ["allow"]
    assert len({one["name"] for one in env}) == len(env)


def test_suspension_and_management_are_left_to_others():
    assert {"suspend", "managedBy", "activeDeadlineSeconds"}.isdisjoint(rendered(TRAINJOB)["spec"])


def test_its_pods_can_be_found_again_through_the_patch():
    template = pod_patch(rendered(TRAINJOB))

    assert template["metadata"]["labels"] == {"ai.windlass.dev/run": RUN.id, "ai.windlass.dev/attempt": "2"}
    assert template["metadata"]["annotations"]["ai.windlass.dev/operation-id"] == RUN.op_id


def test_a_queue_is_for_the_job_and_not_for_its_pods():
    manifest = rendered(TRAINJOB, workload=FULL)

    assert manifest["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] == "gpus"
    assert "kueue.x-k8s.io/queue-name" not in pod_patch(manifest)["metadata"]["labels"]


def test_the_name_is_a_label_of_a_name_server_that_begins_with_a_letter():
    """A10, and RFC 1035."""
    long = attrs.evolve(RUN, key=Key("ml", "9-" + "x" * 200), attempt=1000)
    name = json.loads(TRAINJOB.render(spec(), long).manifest)["metadata"]["name"]

    assert re.fullmatch("[a-z]([-a-z0-9]*[a-z0-9])?", name)
    assert len(name) <= 63


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"executor_config": {"runtme": "a"}}, "executorConfig.runtme: unknown; this executor knows runtime"),
        ({"executor_config": {"runtimeKind": "Job"}}, "executorConfig.runtimeKind: expected one of"),
        ({"executor_config": {"numProcPerNode": 0}}, "executorConfig.numProcPerNode: expected an integer from 1 up"),
        ({"workload": attrs.evolve(WORKLOAD, env_from=({"secretRef": {}},))}, "workload.envFrom: a TrainJob"),
        ({"workload": attrs.evolve(WORKLOAD, env=({"name": "PET_NNODES"},))}, r"workload.env\[0\].name: PET_NNODES is"),
    ],
    ids=["unknown", "kind", "processes", "env from", "reserved"],
)  # fmt: skip
def test_what_it_cannot_run_is_refused_by_name(changes, words):
    with pytest.raises(HyperparametersInvalid, match=words):
        TRAINJOB.check(spec(**changes))


def test_what_it_can_run_is_accepted():
    TRAINJOB.check(spec(workload=FULL))
    TRAINJOB.check(spec(workload=None))


def expected(states, *, suspend, jobs):
    """What each combination means, said once more and independently."""
    if states["Failed"] == "True":
        return Ended
    if states["Complete"] == "True":
        return Finished
    if states["Suspended"] == "True" or suspend:
        return Waiting
    return AtWork if jobs is ACTIVE else Waiting


@pytest.mark.parametrize("suspend", [False, True])
@pytest.mark.parametrize("jobs", [None, IDLE, ACTIVE], ids=["unknown", "idle", "active"])
def test_every_combination_of_conditions_has_a_meaning(jobs, suspend):
    for values in itertools.product((None, "True", "False"), repeat=3):
        states = dict(zip(("Suspended", "Complete", "Failed"), values, strict=True))
        status = {"conditions": conditions(**states)} | ({"jobsStatus": jobs} if jobs else {})
        reading = TRAINJOB.read(child(TRAINJOB, status=status, spec={"suspend": suspend}), [])
        assert isinstance(reading, expected(states, suspend=suspend, jobs=jobs)), (states, reading)


TOLD = "told so"


def failed(reason, message=TOLD):
    return child(
        TRAINJOB,
        status={"conditions": [{"type": "Failed", "status": "True", "reason": reason, "message": message}]},
    )


@pytest.mark.parametrize(
    ("obj", "pods", "exit_", "meaning"),
    [
        (failed("FailedJobs"), [pod(phase="Failed", code=3)], Exit(3, "", "Pod digits-a"), "permanent"),
        (failed("FailedJobs"), [pod(phase="Failed", code=137)], Exit(137, "", "Pod digits-a"), "retryable"),
        (failed("FailedJobs"), [pod(phase="Failed", code=75)], Exit(75, "", "Pod digits-a"), "retryable"),
        (
            failed("FailedJobs"),
            [{"metadata": {"name": "p"}, "status": {"phase": "Failed", "reason": "Evicted"}}],
            Exit(None, "Evicted", "Pod p"),
            "disrupted",
        ),
        (failed("FailedJobs"), [], Exit(None, "FailedJobs", TOLD), "retryable"),
        (failed("FailedJobs"), [pod()], Exit(None, "FailedJobs", TOLD), "retryable"),
        (failed("DeadlineExceeded"), [pod(phase="Failed", code=9)], Exit(None, "DeadlineExceeded", TOLD), "permanent"),
        (failed("TrainingRuntimeNotSupported"), [], Exit(None, "TrainingRuntimeNotSupported", TOLD), "permanent"),
    ],
    ids=["permanent", "killed", "try again", "evicted", "no pods", "pods are behind", "deadline", "not supported"],
)  # fmt: skip
def test_how_it_failed_says_what_may_follow(obj, pods, exit_, meaning):
    """A9."""
    reading = TRAINJOB.read(obj, pods)

    assert (reading, reading.exit.meaning) == (Ended(exit_), meaning)


def test_an_active_job_whose_pods_are_pending_waits_for_them():
    told = {"conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "no gpu"}]}
    obj = child(TRAINJOB, status={"jobsStatus": ACTIVE})

    assert TRAINJOB.read(obj, [pod(phase="Pending", **told)]) == Waiting("Unschedulable: no gpu")
    assert TRAINJOB.read(obj, [pod(phase="Pending"), pod("digits-b")]) == AtWork()


def test_one_that_nobody_has_touched_says_after_a_while_whose_word_is_missing():
    reading = TRAINJOB.read(child(TRAINJOB, spec={"runtimeRef": {"name": "mine"}}), [])

    assert "is Kubeflow Trainer running, and is there a runtime mine?" in reading.why
    assert reading.tell_after is not None


def metrics(**values):
    told = [{"name": name, "value": text} for name, text in values.items()]
    return {"jobsStatus": ACTIVE, "trainerStatus": {"progressPercentage": 40, "metrics": told}}


WHOLE = {"epoch": "2", "epochs": "5", "step": "40", "loss": "0.5", "accuracy": "0.75"}


def test_progress_that_the_trainer_has_pushed_is_shown():
    reading = TRAINJOB.read(child(TRAINJOB, status=metrics(**WHOLE)), [])

    assert reading == AtWork(Progress(2, 5, 40, 0.5, 0.75))


@pytest.mark.parametrize("broken", [{"loss": "nan"}, {"loss": "low"}, {"step": ""}], ids=["nan", "a word", "empty"])
def test_progress_that_is_not_whole_is_left_to_the_folder(broken):
    assert TRAINJOB.read(child(TRAINJOB, status=metrics(**WHOLE | broken)), []) == AtWork()


def test_what_only_a_runtime_can_say_is_refused():
    template = {"metadata": {}, "spec": {"runtimeClassName": "x", "containers": [{}]}}
    with pytest.raises(HyperparametersInvalid, match="runtimeClassName cannot be passed on by a TrainJob"):
        _patch(template)


def test_it_is_suspended_and_resumed_by_its_own_field():
    assert TRAINJOB.suspension(suspended=True) == {"spec": {"suspend": True}}
