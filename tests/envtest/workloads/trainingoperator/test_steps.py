"""The stand-in's own rules, as the Training Operator has them."""

import pytest
from played_jobs import PlayedJob, scripted

from windlass.envtest.workloads.trainingoperator.steps import pytorch_step

POD = {"spec": {"containers": [{"name": "pytorch", "image": "mine:1"}]}}


def replica(count, policy="Never"):
    return {"replicas": count, "restartPolicy": policy, "template": POD}


def pytorch_job(*, workers=2, policy="Never", master=True, **run_policy):
    replicas = {"Worker": replica(workers, policy)} if workers else {}
    if master:
        replicas["Master"] = replica(1, policy)
    return PlayedJob(pytorch_step, {"pytorchReplicaSpecs": replicas, "runPolicy": run_policy})


def counts(job):
    found = job.status["replicaStatuses"].items()
    return {kind: {name: value for name, value in one.items() if value and name != "selector"} for kind, one in found}


def test_a_new_job_is_created_and_has_a_master_and_its_workers():
    job = pytorch_job().settle()

    assert job.conditions == {"Created": ("True", "PyTorchJobCreated")}
    assert sorted(job.pods) == ["digits-1-master-0", "digits-1-worker-0", "digits-1-worker-1"]
    assert counts(job) == {"Master": {"active": 1}, "Worker": {"active": 2}}
    assert job.status["startTime"] == "2026-01-01T00:00:00Z"


def test_a_replica_knows_its_rank_and_its_master():
    job = pytorch_job().settle()

    env = job.env("digits-1-worker-1")
    assert (env["RANK"], env["WORLD_SIZE"], env["MASTER_ADDR"]) == ("2", "3", "digits-1-master-0")
    labels = job.pods["digits-1-master-0"]["metadata"]["labels"]
    assert labels["training.kubeflow.org/job-role"] == "master"
    assert (labels["training.kubeflow.org/replica-type"], labels["training.kubeflow.org/job-name"]) == (
        "master",
        "digits-1",
    )


def test_it_runs_with_its_master_and_has_succeeded_with_it():
    job = pytorch_job().settle().pods_are("Running", "worker-0").settle()
    assert job.true == {"Created"}
    job.pods_are("Running").settle()
    assert job.true == {"Created", "Running"}
    job.pods_are("Succeeded", "master-0").settle()

    assert job.true == {"Created", "Succeeded"}
    assert job.conditions["Running"][0] == "False"
    assert "completionTime" in job.status


def test_without_a_master_all_workers_have_to_succeed():
    job = pytorch_job(master=False).settle().pods_are("Running").pods_are("Succeeded", "worker-0").settle()
    assert "Succeeded" not in job.true
    job.pods_are("Succeeded").settle()

    assert "Succeeded" in job.true


@pytest.mark.parametrize("policy", ["Never", "ExitCode"])
def test_a_replica_that_fails_for_good_fails_the_job(policy):
    job = pytorch_job(policy=policy).settle().pods_are("Running").settle()
    job.pods_are("Failed", "worker-1", code=1).settle()

    assert job.true == {"Created", "Failed"}
    assert job.conditions["Failed"] == ("True", "PyTorchJobFailed")
    assert counts(job)["Worker"]["failed"] == 1


def test_a_replica_that_may_fare_better_is_made_anew_and_the_job_flaps():
    job = pytorch_job(policy="ExitCode").settle().pods_are("Running").settle()
    seen = []
    for _ in range(3):
        job.pods_are("Failed", "worker-1", code=137).follow(times=2)
        seen.append(job.true - {"Created"})
        job.settle().pods_are("Running").settle()
        seen.append(job.true - {"Created"})

    assert seen == [{"Restarting"}, {"Running"}] * 3
    assert job.deleted == ["digits-1-worker-1"] * 3
    assert job.pods["digits-1-worker-1"]["spec"]["restartPolicy"] == "Never"


def test_an_evicted_replica_has_no_code_and_fails_the_job():
    job = pytorch_job(policy="ExitCode").settle().pods_are("Failed", "worker-0", reason="Evicted").settle()

    assert "Failed" in job.true


def test_containers_that_start_again_where_they_are_count_against_the_limit():
    job = pytorch_job(policy="OnFailure", backoffLimit=2).settle().pods_are("Running").settle()
    for pod in job.pods.values():
        pod["status"] = pod["status"] | {"containerStatuses": [{"restartCount": 1, "state": {"running": {}}}]}
    job.settle()

    assert "Failed" in job.true
    assert "backoff limit" in job.status["conditions"][-1]["message"]


def test_a_suspended_job_has_no_pods_and_its_time_begins_anew():
    job = pytorch_job(activeDeadlineSeconds=60).settle().pods_are("Running").settle()
    job.job["spec"]["runPolicy"]["suspend"] = True
    job.settle().after(1000)
    assert (job.true, job.pods, "startTime" in job.status) == ({"Created", "Suspended"}, {}, False)
    job.job["spec"]["runPolicy"]["suspend"] = False
    job.settle()
    assert job.conditions["Suspended"] == ("False", "PyTorchJobResumed")
    assert (len(job.pods), job.plan.wake_seconds) == (3, 60)
    job.after(60).settle()

    assert job.true == {"Created", "Failed"}


@pytest.mark.parametrize(("policy", "left"), [("None", 3), (None, 3), ("Running", 1), ("All", 0)])
def test_pods_go_at_the_end_as_the_policy_says(policy, left):
    job = pytorch_job(**({"cleanPodPolicy": policy} if policy else {})).settle().pods_are("Running").settle()
    job.pods_are("Succeeded", "master-0").settle()

    assert len(job.pods) == left


def test_the_job_goes_when_its_time_to_live_is_over():
    job = pytorch_job(ttlSecondsAfterFinished=30).settle().pods_are("Succeeded").settle()
    assert (job.plan.delete_job, job.plan.wake_seconds) == (False, 30)
    job.after(30).follow()

    assert job.plan.delete_job


def test_a_job_of_another_manager_is_left_alone():
    assert pytorch_job(managedBy="kueue.x-k8s.io/multikueue").settle().status == {}


def test_a_job_may_be_refused_at_once():
    job = pytorch_job().settle(scripted(refuses="InvalidPyTorchJobSpec"))

    assert (job.true, job.pods) == ({"Created", "Failed"}, {})
