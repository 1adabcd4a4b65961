"""The executor `pytorchjob` is pure: what it renders, and what it makes of a PyTorchJob and its Pods (A6, A9)."""

import itertools

import attrs
import pytest
from attempts import RUN, WORKLOAD, pod, spec
from rendered_jobs import FULL, child, conditions, is_golden, rendered

from windlass.operators.errors import HyperparametersInvalid
from windlass.operators.training.executors.exits import Exit
from windlass.operators.training.executors.objects import AtWork, Ended, Finished, Waiting
from windlass.operators.training.executors.pytorchjob import PYTORCHJOB

TYPES = ("Created", "Running", "Restarting", "Succeeded", "Suspended", "Failed")


def test_what_it_renders_is_the_golden_file_byte_for_byte():
    """A6."""
    assert is_golden(PYTORCHJOB, executor_config={"nprocPerNode": "4"})


def test_one_node_is_a_master_and_further_ones_are_workers():
    alone = rendered(PYTORCHJOB)["spec"]["pytorchReplicaSpecs"]
    three = rendered(PYTORCHJOB, workload=attrs.evolve(WORKLOAD, nodes=3))["spec"]["pytorchReplicaSpecs"]

    assert {kind: one["replicas"] for kind, one in alone.items()} == {"Master": 1}
    assert {kind: one["replicas"] for kind, one in three.items()} == {"Master": 1, "Worker": 2}
    assert three["Master"]["template"] == three["Worker"]["template"]


def test_a_replica_has_one_try_and_the_container_that_the_operator_looks_for():
    manifest = rendered(PYTORCHJOB)
    master = manifest["spec"]["pytorchReplicaSpecs"]["Master"]

    assert (master["restartPolicy"], manifest["spec"]["runPolicy"]["backoffLimit"]) == ("Never", 0)
    assert [one["name"] for one in master["template"]["spec"]["containers"]] == ["pytorch"]
    assert master["template"]["metadata"]["labels"]["ai.windlass.dev/attempt"] == "2"


def test_its_trainer_is_told_the_contract():
    """A8."""
    master = rendered(PYTORCHJOB)["spec"]["pytorchReplicaSpecs"]["Master"]
    told = {one["name"]: one["value"] for one in master["template"]["spec"]["containers"][0]["env"]}

    assert (told["RESUME_FROM_STEP"], told["WANDB_RESUME"], told["WINDLASS_NODES"]) == ("40", "allow", "1")
    assert told["WINDLASS_ATTEMPT"] == RUN.op_id


def test_suspension_management_and_deadlines_are_left_to_others():
    policy = rendered(PYTORCHJOB)["spec"]["runPolicy"]

    assert {"suspend", "managedBy", "activeDeadlineSeconds", "ttlSecondsAfterFinished"}.isdisjoint(policy)


def test_a_queue_is_for_the_job_and_not_for_its_pods():
    manifest = rendered(PYTORCHJOB, workload=FULL)
    master = manifest["spec"]["pytorchReplicaSpecs"]["Master"]

    assert manifest["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] == "gpus"
    assert "kueue.x-k8s.io/queue-name" not in master["template"]["metadata"]["labels"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"workload": None}, "workload.image: expected the image"),
        ({"executor_config": {"runtime": "a"}}, "executorConfig.runtime: unknown; this executor knows nprocPerNode"),
        ({"executor_config": {"nprocPerNode": 4}}, "executorConfig.nprocPerNode: expected a text that matches"),
        ({"workload": attrs.evolve(WORKLOAD, env=({"name": "RANK"},))}, r"workload.env\[0\].name: RANK is set"),
    ],
    ids=["no image", "unknown", "processes", "reserved"],
)
def test_what_it_cannot_run_is_refused_by_name(changes, words):
    with pytest.raises(HyperparametersInvalid, match=words):
        PYTORCHJOB.check(spec(**changes))


def test_what_it_can_run_is_accepted():
    PYTORCHJOB.check(spec(workload=FULL))


def expected(true, *, seen, suspend):
    """What each combination means, said once more and independently."""
    for kind, meaning in (("Failed", Ended), ("Succeeded", Finished), ("Suspended", "it is suspended")):
        if kind in true:
            return meaning
    if suspend:
        return "it is suspended"
    if "Restarting" in true:
        return "it is restarting: it is Restarting"
    if "Running" in true:
        return AtWork
    return "" if seen else "no controller has taken up"


@pytest.mark.parametrize("suspend", [False, True])
def test_every_combination_of_conditions_has_a_meaning(suspend):
    for values in itertools.product((None, "True", "False"), repeat=len(TYPES)):
        states = dict(zip(TYPES, values, strict=True))
        obj = child(PYTORCHJOB, status={"conditions": conditions(**states)}, spec={"runPolicy": {"suspend": suspend}})
        reading = PYTORCHJOB.read(obj, [])
        meaning = expected(
            {kind for kind, status in states.items() if status == "True"}, seen=any(values), suspend=suspend
        )
        if isinstance(meaning, str):
            assert isinstance(reading, Waiting), (states, reading)
            assert reading.why.startswith(meaning), (states, reading)
        else:
            assert isinstance(reading, meaning), (states, reading)


def failed(message="PyTorchJob digits has failed because 1 Worker replica(s) failed."):
    one = {"type": "Failed", "status": "True", "reason": "PyTorchJobFailed", "message": message}
    return child(PYTORCHJOB, status={"conditions": [one]})


DEADLINE = "PyTorchJob digits has failed because it was active longer than specified deadline"


@pytest.mark.parametrize(
    ("obj", "pods", "code", "reason", "meaning"),
    [
        (failed(), [pod(phase="Failed", code=1)], 1, "", "permanent"),
        (failed(), [pod(phase="Failed", code=143)], 143, "", "retryable"),
        (
            failed(),
            [pod(phase="Failed", code=1), {"metadata": {}, "status": {"phase": "Failed", "reason": "NodeLost"}}],
            None,
            "NodeLost",
            "disrupted",
        ),
        (failed(), [], None, "", "retryable"),
        (failed(DEADLINE), [pod(phase="Failed", code=143)], None, "DeadlineExceeded", "permanent"),
    ],
    ids=["permanent", "killed", "node lost", "no pods", "deadline"],
)
def test_how_it_failed_says_what_may_follow(obj, pods, code, reason, meaning):
    """A9."""
    found = PYTORCHJOB.read(obj, pods).exit

    assert (found.code, found.reason, found.meaning) == (code, reason, meaning)


def test_without_pods_the_message_is_the_operator_s():
    assert PYTORCHJOB.read(failed("so it is"), []) == Ended(Exit(None, "", "so it is"))


def test_a_job_that_was_created_waits_for_its_pods():
    told = {"conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "no gpu"}]}
    obj = child(PYTORCHJOB, status={"conditions": conditions(Created="True")})

    assert PYTORCHJOB.read(obj, [pod(phase="Pending", **told)]) == Waiting("Unschedulable: no gpu")


def test_it_is_suspended_and_resumed_by_its_run_policy():
    assert PYTORCHJOB.suspension(suspended=True) == {"spec": {"runPolicy": {"suspend": True}}}
    assert PYTORCHJOB.suspension(suspended=False) == {"spec": {"runPolicy": {"suspend": False}}}
