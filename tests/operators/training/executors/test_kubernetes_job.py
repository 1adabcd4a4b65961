"""The executor `kubernetes-job` is pure: what it renders, and what it makes of a Job and its Pods (A6, A9)."""

import json

import attrs
import pytest
from attempts import RUN, WORKLOAD, job, pod, spec

from windlass.operators.errors import HyperparametersInvalid
from windlass.operators.training.executors.exits import Exit
from windlass.operators.training.executors.kubernetes_job import KUBERNETES_JOB
from windlass.operators.training.executors.objects import AtWork, Ended, Finished, Waiting

FAILED = ("Failed", "BackoffLimitExceeded", "Job has reached the specified backoff limit")


def rendered(**changes):
    return json.loads(KUBERNETES_JOB.render(spec(**changes), RUN).manifest)


def test_equal_arguments_render_equal_bytes():
    assert KUBERNETES_JOB.render(spec(), RUN) == KUBERNETES_JOB.render(spec(), attrs.evolve(RUN))


def test_a_job_has_one_try_and_no_deadline_because_both_are_ours():
    found = rendered()["spec"]

    assert found["backoffLimit"] == 0
    assert "activeDeadlineSeconds" not in found
    assert found["template"]["spec"]["restartPolicy"] == "Never"


def test_its_pod_is_told_the_contract():
    """A8."""
    told = {one["name"]: one["value"] for one in rendered()["spec"]["template"]["spec"]["containers"][0]["env"]}

    assert (told["RESUME_FROM_STEP"], told["WANDB_RESUME"], told["WINDLASS_NODES"]) == ("40", "allow", "1")
    assert told["WINDLASS_ATTEMPT"] == RUN.op_id


def test_several_nodes_are_an_indexed_job_with_a_pod_each():
    found = rendered(workload=attrs.evolve(WORKLOAD, nodes=3))["spec"]

    assert (found["completions"], found["parallelism"], found["completionMode"]) == (3, 3, "Indexed")
    assert "completionMode" not in rendered()["spec"]


def test_another_attempt_is_another_object():
    """A10."""
    again = KUBERNETES_JOB.render(spec(), attrs.evolve(RUN, attempt=3, op_id="op3"))

    assert json.loads(again.manifest)["metadata"]["name"] != rendered()["metadata"]["name"]
    assert again.config == KUBERNETES_JOB.render(spec(), RUN).config


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"workload": None}, "workload.image: expected the image"),
        ({"workload": attrs.evolve(WORKLOAD, image="")}, "workload.image: expected the image"),
        ({"executor_config": {"parallelism": 3}}, "executorConfig.parallelism: unknown"),
    ],
)
def test_what_it_cannot_run_is_refused_by_name(changes, words):
    with pytest.raises(HyperparametersInvalid, match=words):
        KUBERNETES_JOB.check(spec(**changes))


def test_what_it_can_run_is_accepted():
    KUBERNETES_JOB.check(spec())


@pytest.mark.parametrize(
    ("child", "pods", "reading"),
    [
        (job(), [], Waiting("")),
        (job(), [pod(phase="Pending")], Waiting("")),
        (job(), [pod()], AtWork()),
        (job(spec={"suspend": True}), [pod()], Waiting("it is suspended")),
        (job(("Complete", "", "")), [pod(phase="Succeeded", code=0)], Finished()),
        (job(FAILED), [pod(phase="Failed", code=3)], Ended(Exit(3, "", "Pod digits-a"))),
        (job(("Failed", "DeadlineExceeded", "too slow")), [], Ended(Exit(None, "DeadlineExceeded", "too slow"))),
    ],
    ids=["new", "not at work", "at work", "suspended", "complete", "failed", "too slow"],
)
def test_a_job_reads_as_what_its_status_and_pods_say(child, pods, reading):
    assert reading == KUBERNETES_JOB.read(child, pods)


@pytest.mark.parametrize(
    ("message", "exit_code", "meaning"),
    [
        ("Container a for pod ml/b failed with exit code 42 matching FailJob rule at index 1", 42, "permanent"),
        ("Container a for pod ml/b failed with exit code 137 matching FailJob rule at index 1", 137, "retryable"),
        ("Pod ml/digits-a has condition DisruptionTarget matching FailJob rule at index 0", None, "disrupted"),
        ("Job has reached the specified backoff limit", None, "retryable"),
    ],
)  # fmt: skip
def test_without_pods_the_job_s_own_condition_has_to_do(message, exit_code, meaning):
    """From Kubernetes 1.26 on it has the exit code, by our failure policy; without it nobody knows (A9)."""
    found = KUBERNETES_JOB.read(job(("Failed", "PodFailurePolicy", message)), [])

    assert (exit_code, meaning) == (found.exit.code, found.exit.meaning)


def test_it_is_suspended_and_resumed_by_its_own_field():
    assert KUBERNETES_JOB.suspension(suspended=True) == {"spec": {"suspend": True}}
    assert KUBERNETES_JOB.suspension(suspended=False) == {"spec": {"suspend": False}}
