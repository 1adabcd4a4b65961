"""The stand-in's own rules, as KubeRay has them."""

from played_jobs import PlayedJob, scripted

from windlass.envtest.workloads.ray.steps import ray_step

POD = {"spec": {"containers": [{"name": "ray", "image": "rayproject/ray:2.50.0"}]}}


def ray_job(**spec):
    workers = [{"groupName": "workers", "replicas": 2, "template": POD}]
    cluster = {"headGroupSpec": {"template": POD}, "workerGroupSpecs": workers}
    return PlayedJob(ray_step, {"entrypoint": "python train.py", "rayClusterSpec": cluster} | spec)


def states(job):
    return job.status.get("jobDeploymentStatus"), job.status.get("jobStatus")


def at_work(job):
    return job.settle().pods_are("Running").settle().pods_are("Running").settle()


def driver(job):
    return next(name for name in job.pods if name.endswith("submitter"))


def test_the_driver_is_submitted_when_the_cluster_is_ready():
    job = ray_job().settle()
    assert states(job) == ("Initializing", None)
    cluster = job.status["rayClusterName"]
    assert {f"{cluster}-head", f"{cluster}-workers-worker-0", f"{cluster}-workers-worker-1"} == set(job.pods)
    job.pods_are("Running").settle()
    assert (states(job), driver(job)) == (("Running", "PENDING"), f"{cluster}-submitter")
    job.pods_are("Running").settle()

    assert states(job) == ("Running", "RUNNING")


def test_the_end_of_the_driver_is_the_end_of_the_job():
    job = at_work(ray_job()).pods_are("Succeeded", "submitter").settle()

    assert states(job) == ("Complete", "SUCCEEDED")
    assert (job.status["succeeded"], job.status["failed"], "endTime" in job.status) == (1, 0, True)


def test_a_driver_that_fails_fails_the_job():
    job = at_work(ray_job()).pods_are("Failed", "submitter", code=1).settle()

    assert (*states(job), job.status["reason"]) == ("Failed", "FAILED", "AppFailed")
    assert job.status["failed"] == 1


def test_another_try_has_another_cluster():
    job = at_work(ray_job(backoffLimit=1))
    first = job.status["rayClusterName"]
    job.pods_are("Failed", "submitter", code=1).follow()
    assert (*states(job), job.status["failed"]) == ("Retrying", "FAILED", 1)
    job = at_work(job)
    assert job.status["rayClusterName"] != first
    assert not [name for name in job.pods if name.startswith(first)]
    job.pods_are("Failed", "submitter", code=1).settle()

    assert (*states(job), job.status["failed"]) == ("Failed", "FAILED", 2)


def test_a_suspended_job_loses_its_cluster():
    job = at_work(ray_job())
    job.job["spec"]["suspend"] = True
    job.follow()
    assert states(job)[0] == "Suspending"
    job.settle()
    assert (states(job), job.pods) == (("Suspended", None), {})
    job.job["spec"]["suspend"] = False
    job = at_work(job)

    assert states(job) == ("Running", "RUNNING")


def test_the_time_of_a_job_is_limited():
    job = at_work(ray_job(activeDeadlineSeconds=60))
    assert job.plan.wake_seconds == 60
    job.after(60).settle()

    assert (states(job)[0], job.status["reason"]) == ("Failed", "DeadlineExceeded")


def test_somebody_may_stop_the_driver():
    job = at_work(ray_job())
    job.settle(scripted(stopped=True))

    assert states(job) == ("Complete", "STOPPED")


def test_the_cluster_goes_after_the_end_if_it_is_to():
    job = at_work(ray_job(shutdownAfterJobFinishes=True, ttlSecondsAfterFinished=10))
    job.pods_are("Succeeded", "submitter").settle()
    assert (len(job.pods), job.plan.wake_seconds) == (4, 10)
    job.after(10).settle()

    assert list(job.pods) == [driver(job)]


def test_a_job_that_has_ended_is_never_begun_again():
    job = at_work(ray_job()).pods_are("Failed", "submitter", code=1).settle()
    job.pods.clear()

    assert job.settle().pods == {}


def test_a_job_of_another_manager_is_left_alone():
    assert ray_job(managedBy="kueue.x-k8s.io/multikueue").settle().status == {}


def test_a_job_may_be_refused_at_once():
    job = ray_job().settle(scripted(refuses="ValidationFailed"))

    assert (*states(job), job.status["reason"], job.pods) == ("Failed", None, "ValidationFailed", {})
