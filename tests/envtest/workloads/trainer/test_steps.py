"""The stand-in's own rules, as Kubeflow Trainer v2 has them."""

import pytest
from played_jobs import PlayedJob, scripted

from windlass.envtest.workloads.trainer.controller import torch_runtime
from windlass.envtest.workloads.trainer.steps import trainer_step

RUNTIME = torch_runtime(nodes=2)
ANCESTOR = "trainer.kubeflow.org/trainjob-ancestor-step"


def train_job(*, runtimes=(RUNTIME,), **spec):
    reference = {"name": "torch-distributed", "kind": "ClusterTrainingRuntime", "apiGroup": "trainer.kubeflow.org"}
    spec = {"runtimeRef": reference, "trainer": {"image": "mine:1", "numNodes": 2}} | spec
    return PlayedJob(trainer_step, spec, others={"ClusterTrainingRuntime": tuple(runtimes)})


def counts(job):
    return {one["name"]: {key: value for key, value in one.items() if value and key != "name"}
            for one in job.status["jobsStatus"]}  # fmt: skip


def test_a_new_job_has_no_condition_and_one_active_job_of_the_wanted_nodes():
    job = train_job().settle()

    assert job.conditions == {}
    assert counts(job) == {"node": {"active": 1}}
    assert sorted(job.pods) == ["digits-1-node-0-0", "digits-1-node-0-1"]
    assert {pod["metadata"]["labels"][ANCESTOR] for pod in job.pods.values()} == {"trainer"}


def test_the_trainer_gets_its_place_in_the_job_by_its_environment():
    job = train_job(trainer={"numNodes": 2, "numProcPerNode": 4, "env": [{"name": "MINE", "value": "1"}]}).settle()

    assert job.env("digits-1-node-0-1") == {
        "PET_NNODES": "2",
        "PET_NPROC_PER_NODE": "4",
        "PET_NODE_RANK": "1",
        "PET_MASTER_ADDR": "digits-1-node-0-0.digits-1",
        "PET_MASTER_PORT": "29500",
        "MINE": "1",
    }


def test_the_runtime_says_how_many_nodes_there_are_unless_the_job_does():
    assert len(train_job(trainer={"image": "mine:1"}).settle().pods) == 2


def test_it_is_complete_when_every_node_has_succeeded():
    job = train_job().settle().pods_are("Running").settle()
    assert counts(job) == {"node": {"active": 1, "ready": 1}}
    job.pods_are("Succeeded", "0-0").settle()
    assert job.true == set()
    job.pods_are("Succeeded").settle()

    assert job.conditions == {"Complete": ("True", "AllJobsCompleted")}
    assert counts(job) == {"node": {"ready": 1, "succeeded": 1}}
    assert len(job.pods) == 2


def test_one_failed_node_fails_the_job_and_the_others_go():
    job = train_job().settle().pods_are("Running").pods_are("Failed", "0-1", code=1).settle()

    assert job.conditions == {"Failed": ("True", "FailedJobs")}
    assert job.deleted == ["digits-1-node-0-0"]
    assert counts(job)["node"]["failed"] == 1


def test_a_job_that_has_ended_is_never_begun_again():
    job = train_job().settle().pods_are("Succeeded", code=0).settle()
    job.pods.clear()

    assert job.settle().pods == {}
    assert job.true == {"Complete"}


def test_a_suspended_job_has_no_pods_and_says_so():
    job = train_job().settle().pods_are("Running").settle()
    job.job["spec"]["suspend"] = True
    job.settle()
    assert (job.pods, job.conditions) == ({}, {"Suspended": ("True", "Suspended")})
    assert counts(job) == {"node": {"suspended": 1}}
    job.job["spec"]["suspend"] = False
    job.settle()

    assert job.conditions == {"Suspended": ("False", "Resumed")}
    assert len(job.pods) == 2


def test_the_deadline_begins_anew_when_the_job_is_resumed():
    job = train_job(activeDeadlineSeconds=60, suspend=True).settle().after(1000)
    job.job["spec"]["suspend"] = False
    job.settle()
    assert (job.true, job.plan.wake_seconds) == (set(), 60)
    job.after(59).settle()
    assert job.true == set()
    job.after(1).settle()

    assert job.conditions["Failed"] == ("True", "DeadlineExceeded")
    assert job.pods == {}


@pytest.mark.parametrize(("reference", "behaviour"), [({"name": "a", "kind": "Mine"}, {}), (None, "Unknown")])
def test_a_runtime_that_is_not_supported_fails_the_job_without_a_pod(reference, behaviour):
    job = train_job(**({"runtimeRef": reference} if reference else {}))
    job.settle(scripted(refuses="TrainingRuntimeNotSupported") if behaviour else None)

    assert (job.conditions, job.pods) == ({"Failed": ("True", "TrainingRuntimeNotSupported")}, {})


def test_a_job_without_its_runtime_waits_for_it_and_nothing_says_so():
    job = train_job(runtimes=()).settle()
    assert (job.status, job.pods) == ({}, {})
    job.others = {"ClusterTrainingRuntime": (RUNTIME,)}

    assert len(job.settle().pods) == 2


def test_a_job_of_another_manager_is_left_alone():
    job = train_job(managedBy="kueue.x-k8s.io/multikueue").settle()

    assert (job.status, job.pods) == ({}, {})


def test_initializers_run_before_the_trainer():
    label = {"metadata": {"labels": {ANCESTOR: "dataset-initializer"}}}
    pod = {"spec": {"containers": [{"name": "dataset-initializer", "image": "i"}]}}
    first = {"name": "dataset-initializer", "template": label | {"spec": {"template": pod}}}
    runtime = torch_runtime()
    runtime["spec"]["template"]["spec"]["replicatedJobs"].append(first)
    job = train_job(runtimes=(runtime,), trainer={}).settle()
    assert list(job.pods) == ["digits-1-dataset-initializer-0-0"]
    job.pods_are("Succeeded").settle()

    assert list(job.pods)[1:] == ["digits-1-node-0-0"]
    assert "PET_NNODES" not in job.env("digits-1-dataset-initializer-0-0")


def test_patches_of_the_runtime_reach_the_pods():
    container = {"name": "node", "volumeMounts": [{"name": "runs", "mountPath": "/runs"}]}
    spec = {"volumes": [{"name": "runs", "emptyDir": {}}], "containers": [container], "nodeSelector": {"gpu": "yes"}}
    template = {"metadata": {"labels": {"mine": "1"}, "annotations": {"noted": "2"}}, "spec": spec}
    step = {"name": "node", "template": {"spec": {"template": template}}}
    patch = {"manager": "m", "trainingRuntimeSpec": {"template": {"spec": {"replicatedJobs": [step]}}}}
    pod = train_job(runtimePatches=[patch]).settle().pods["digits-1-node-0-0"]

    assert (pod["metadata"]["labels"]["mine"], pod["metadata"]["annotations"]["noted"]) == ("1", "2")
    assert pod["spec"]["volumes"] == [{"name": "runs", "emptyDir": {}}]
    assert pod["spec"]["nodeSelector"] == {"gpu": "yes"}
    assert pod["spec"]["containers"][0]["image"] == "mine:1"
    assert pod["spec"]["containers"][0]["volumeMounts"] == [{"name": "runs", "mountPath": "/runs"}]


def test_what_the_trainer_has_told_stands_in_the_status_with_the_time_of_its_change():
    job = train_job().settle().pods_are("Running")
    job.settle(scripted(progress={"progressPercentage": 40}))
    told = job.status["trainerStatus"]
    job.after(30).settle(scripted(progress={"progressPercentage": 40}))
    assert job.status["trainerStatus"] == told
    job.settle(scripted(progress={"progressPercentage": 41}))

    assert job.status["trainerStatus"]["lastUpdatedTime"] > told["lastUpdatedTime"]


def test_how_pods_fare_is_noted_on_them_for_those_who_run_them():
    job = train_job().settle(scripted(exit_code=137, evicted=True))

    notes = {key: value for key, value in job.pods["digits-1-node-0-0"]["metadata"]["annotations"].items()
             if key.startswith("envtest")}  # fmt: skip
    assert notes == {"envtest.windlass.dev/exit-codes": "137", "envtest.windlass.dev/evicted": "true"}
