"""The executor `rayjob` is pure: what it renders, and what it makes of a RayJob and its Pods (A6, A9)."""

import itertools
import json

import attrs
import pytest
from attempts import RUN, WORKLOAD, pod, spec
from rendered_jobs import FULL, child, is_golden, rendered

from windlass.informers.keys import Key
from windlass.operators.errors import HyperparametersInvalid
from windlass.operators.training.executors.objects import AtWork, Ended, Finished, Waiting
from windlass.operators.training.executors.rayjob import RAYJOB

STATES = ("", "Initializing", "Running", "Complete", "Failed", "Suspending", "Suspended", "Retrying", "Waiting", "New")
JOBS = ("", "PENDING", "RUNNING", "SUCCEEDED", "FAILED", "STOPPED")


def test_what_it_renders_is_the_golden_file_byte_for_byte():
    """A6."""
    assert is_golden(RAYJOB, executor_config={"rayVersion": "2.50.0"})


def test_one_node_is_a_head_and_further_ones_are_workers():
    alone = rendered(RAYJOB)["spec"]["rayClusterSpec"]
    (workers,) = rendered(RAYJOB, workload=attrs.evolve(WORKLOAD, nodes=3))["spec"]["rayClusterSpec"][
        "workerGroupSpecs"
    ]

    assert "workerGroupSpecs" not in alone
    assert (workers["replicas"], workers["minReplicas"], workers["maxReplicas"]) == (2, 2, 2)


def test_the_command_is_the_driver_and_no_command_of_ray_s_own_pods():
    manifest = rendered(RAYJOB, workload=attrs.evolve(WORKLOAD, args=("--name", "two words; rm")))
    (container,) = manifest["spec"]["rayClusterSpec"]["headGroupSpec"]["template"]["spec"]["containers"]

    assert manifest["spec"]["entrypoint"] == "python train.py --name 'two words; rm'"
    assert {"command", "args"}.isdisjoint(container)


def test_ray_tries_nothing_again_and_the_cluster_goes_with_the_job():
    found = rendered(RAYJOB)["spec"]

    assert (found["backoffLimit"], found["shutdownAfterJobFinishes"]) == (0, True)
    assert {"suspend", "managedBy", "activeDeadlineSeconds", "clusterSelector"}.isdisjoint(found)


def test_every_pod_is_told_the_contract():
    """A8."""
    cluster = rendered(RAYJOB, workload=attrs.evolve(WORKLOAD, nodes=2))["spec"]["rayClusterSpec"]
    for template in (cluster["headGroupSpec"]["template"], cluster["workerGroupSpecs"][0]["template"]):
        told = {one["name"]: one["value"] for one in template["spec"]["containers"][0]["env"]}
        assert (told["RESUME_FROM_STEP"], told["WANDB_RESUME"], told["WINDLASS_NODES"]) == ("40", "allow", "2")
        assert told["WINDLASS_ATTEMPT"] == RUN.op_id
        assert template["metadata"]["labels"]["ai.windlass.dev/attempt"] == "2"


def test_the_name_leaves_room_for_what_ray_appends():
    long = attrs.evolve(RUN, key=Key("ml", "x" * 200), attempt=100)
    name = json.loads(RAYJOB.render(spec(), long).manifest)["metadata"]["name"]

    assert len(name) <= 47


def test_a_queue_is_for_the_job_and_not_for_its_pods():
    manifest = rendered(RAYJOB, workload=FULL)
    head = manifest["spec"]["rayClusterSpec"]["headGroupSpec"]["template"]

    assert manifest["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] == "gpus"
    assert "kueue.x-k8s.io/queue-name" not in head["metadata"]["labels"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"workload": None}, "workload.image: expected the image.*workload.command: expected the command"),
        ({"executor_config": {"rayVersion": "latest"}}, "executorConfig.rayVersion: expected a text that matches"),
        ({"executor_config": {"submissionMode": "Ssh"}}, "executorConfig.submissionMode: expected one of K8sJobMode"),
        ({"executor_config": {"runtime": "a"}}, "executorConfig.runtime: unknown"),
    ],
    ids=["no workload", "version", "mode", "unknown"],
)
def test_what_it_cannot_run_is_refused_by_name(changes, words):
    with pytest.raises(HyperparametersInvalid, match=words):
        RAYJOB.check(spec(**changes))


def test_what_it_can_run_is_accepted():
    RAYJOB.check(spec(workload=FULL, executor_config={"submissionMode": "SidecarMode"}))


def expected(state, job, *, suspend):
    """What each combination means, said once more and independently."""
    if state in ("Complete", "Failed"):
        return Finished if state == "Complete" and job == "SUCCEEDED" else Ended
    if suspend or state in ("Suspending", "Suspended"):
        return "it is suspended"
    if state == "Running" and job in ("RUNNING", "SUCCEEDED", "FAILED", "STOPPED"):
        return AtWork
    return {"": "no controller has taken up", "Retrying": "its controller tries it again"}.get(state, "")


@pytest.mark.parametrize("suspend", [False, True])
def test_every_combination_of_states_has_a_meaning(suspend):
    for state, job in itertools.product(STATES, JOBS):
        status = {"jobDeploymentStatus": state, "jobStatus": job}
        reading = RAYJOB.read(child(RAYJOB, status=status, spec={"suspend": suspend}), [])
        meaning = expected(state, job, suspend=suspend)
        if isinstance(meaning, str):
            assert isinstance(reading, Waiting), (state, job, reading)
            assert reading.why.startswith(meaning), (state, job, reading)
        else:
            assert isinstance(reading, meaning), (state, job, reading)


DIED = "Job supervisor actor died."


def ended(job, *, state="Failed", reason="", message=""):
    return child(RAYJOB, status={"jobDeploymentStatus": state, "jobStatus": job, "reason": reason, "message": message})


OUT_OF_MEMORY = pod("head", phase="Failed", code=137, reason="OOMKilled")
EVICTED = [{"metadata": {"name": "head"}, "status": {"phase": "Failed", "reason": "Evicted"}}]


@pytest.mark.parametrize(
    ("obj", "pods", "code", "reason", "meaning"),
    [
        (ended("FAILED", reason="AppFailed", message="failed with exit code 3, last"), [], 3, "", "permanent"),
        (ended("FAILED", reason="AppFailed", message="failed with exit code -9, last"), [], 137, "", "retryable"),
        (ended("FAILED", reason="AppFailed", message=DIED), [], None, "", "retryable"),
        (ended("FAILED", reason="AppFailed", message=DIED), EVICTED, None, "Evicted", "disrupted"),
        (ended("FAILED", state="Complete", message="failed with exit code 1"), [], 1, "", "permanent"),
        (ended("FAILED", reason="AppFailed", message="exit code 1"), [pod(phase="Failed", code=7)], 1, "", "permanent"),
        (ended("FAILED", reason="AppFailed", message="exit code 1"), [OUT_OF_MEMORY], 1, "", "permanent"),
        (ended("STOPPED", state="Complete"), [], None, "Stopped", "permanent"),
        (ended("RUNNING", reason="DeadlineExceeded"), [], None, "DeadlineExceeded", "permanent"),
        (ended("", reason="ValidationFailed"), [], None, "ValidationFailed", "permanent"),
        (ended("", reason="SubmissionFailed"), [], None, "SubmissionFailed", "retryable"),
    ],
    ids=["code", "signal", "died", "evicted", "older", "submitter", "head", "stopped", "deadline", "invalid", "unsent"],
)  # fmt: skip
def test_how_it_ended_says_what_may_follow(obj, pods, code, reason, meaning):
    """A9."""
    found = RAYJOB.read(obj, pods).exit

    assert (found.code, found.reason, found.meaning) == (code, reason, meaning)


def test_it_is_suspended_and_resumed_by_its_own_field():
    assert RAYJOB.suspension(suspended=False) == {"spec": {"suspend": False}}
