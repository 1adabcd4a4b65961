"""The stand-in's own rules, as Kueue has them: who has quota, and what follows for a job and its Workload."""

from datetime import UTC, datetime

import pytest

from windlass.envtest.workloads.kueue import Kueue, cluster_queue, local_queue
from windlass.envtest.workloads.kueue.frameworks import ended, is_active, is_suspended, pod_sets, suspension
from windlass.envtest.workloads.kueue.pairing import QUEUE_NAME, Pairing, pair_step
from windlass.envtest.workloads.kueue.quota import World, quota_step
from windlass.informers import Cluster, Pod

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
TEMPLATE = {"spec": {"containers": [{"name": "a", "resources": {"requests": {"cpu": "500m"}}}]}}
JOB_SPECS = {
    "Job": ({"parallelism": 3, "template": TEMPLATE}, {"main": 3}),
    "TrainJob": ({"trainer": {"numNodes": 2, "resourcesPerNode": {"requests": {"cpu": 1}}}}, {"node": 2}),
    "PyTorchJob": (
        {
            "pytorchReplicaSpecs": {
                "Master": {"replicas": 1, "template": TEMPLATE},
                "Worker": {"replicas": 4, "template": TEMPLATE},
            }
        },
        {"master": 1, "worker": 4},
    ),
    "RayJob": (
        {
            "rayClusterSpec": {
                "headGroupSpec": {"template": TEMPLATE},
                "workerGroupSpecs": [{"groupName": "workers", "replicas": 2, "template": TEMPLATE}],
            }
        },
        {"head": 1, "workers": 2, "submitter": 1},
    ),
}
AT_WORK = {
    "Job": {"active": 1},
    "TrainJob": {"jobsStatus": [{"name": "node", "active": 1}]},
    "PyTorchJob": {"replicaStatuses": {"Master": {"active": 1}}},
    "RayJob": {"jobDeploymentStatus": "Running"},
}


def condition(kind, status="True", reason="Reason", message="why"):
    times = {"lastTransitionTime": "2026-01-01T00:00:00Z"}
    return {"type": kind, "status": status, "reason": reason, "message": message} | times


ENDS = {
    "Job": ({"conditions": [condition("Complete")]}, {"conditions": [condition("Failed")]}),
    "TrainJob": ({"conditions": [condition("Complete")]}, {"conditions": [condition("Failed")]}),
    "PyTorchJob": ({"conditions": [condition("Succeeded")]}, {"conditions": [condition("Failed")]}),
    "RayJob": (
        {"jobDeploymentStatus": "Complete", "jobStatus": "SUCCEEDED"},
        {"jobDeploymentStatus": "Failed", "jobStatus": "FAILED"},
    ),
}
KINDS = pytest.mark.parametrize("kind", list(JOB_SPECS))


def job(kind="Job", *, suspended=True, status=None, queue="team"):
    spec = JOB_SPECS[kind][0] | suspension(kind, suspended=suspended)["spec"]
    labels = {QUEUE_NAME: queue} if queue else {}
    metadata = {"name": "digits", "namespace": "default", "uid": f"uid-{kind}", "labels": labels}
    return {"kind": kind, "metadata": metadata, "spec": spec, "status": status or {}}


def workload(name="a", *conditions, pods=1, second=0, cpu="0", admitted_by="machines"):
    """One whose first Pod set has so many Pods; with a true QuotaReserved it has its quota from `admitted_by`."""
    container = {"name": "a", "resources": {"requests": {"cpu": cpu}}}
    sets = [{"name": "main", "count": pods, "template": {"spec": {"containers": [container]}}}]
    created = f"2026-01-01T00:00:{second:02}Z"
    metadata = {"name": name, "namespace": "default", "uid": f"uid-{name}", "creationTimestamp": created}
    status = {"conditions": list(conditions)} if conditions else {}
    if any(one["type"] == "QuotaReserved" and one["status"] == "True" for one in conditions):
        status["admission"] = {"clusterQueue": admitted_by, "podSetAssignments": []}
    return {"metadata": metadata, "spec": {"queueName": "team", "podSets": sets}, "status": status}


HOLDS = (condition("QuotaReserved"), condition("Admitted"))


def world(*workloads, stop=("None", "None"), **quotas):
    local, cluster = local_queue("team", "machines"), cluster_queue("machines", **(quotas or {"pods": 2, "cpu": 8}))
    local["spec"]["stopPolicy"], cluster["spec"]["stopPolicy"] = stop
    return {"workloads": workloads, "local_queues": (local,), "cluster_queues": (cluster,), "now": NOW}


def outcome(seen, **changes):
    """By the name of each Workload that changed: its conditions."""
    changed = quota_step(World(**(seen | changes)))
    return {one["metadata"]["name"]: said(status) for one, status in changed}


def said(status):
    return {one["type"]: (one["status"], one["reason"], one["message"]) for one in status["conditions"]}


def pending(message):
    return {"QuotaReserved": ("False", "Pending", f"couldn't assign flavors to pod set main: {message}")}


def test_the_oldest_that_fit_are_admitted_and_never_more_than_the_quota_allows():
    found = outcome(world(workload("young", second=3), workload("old", second=1), workload("big", second=2, pods=2)))

    assert [name for name, told in found.items() if told["QuotaReserved"][0] == "True"] == ["old", "young"]
    assert found["big"] == pending("insufficient unused quota for pods in flavor default, 1 more needed")


def test_what_is_held_already_is_not_given_again():
    assert outcome(world(workload("a", *HOLDS), workload("b", second=1), pods=1, cpu=8)) == {
        "b": pending("insufficient unused quota for pods in flavor default, 1 more needed")
    }
    finished = workload("a", *HOLDS, condition("Finished"))
    assert outcome(world(finished, workload("b", second=1), pods=1, cpu=8))["b"]["Admitted"][0] == "True"


def test_other_resources_count_by_what_all_pods_request():
    short = "insufficient unused quota for cpu in flavor default, 0.5 more needed"
    held = workload("a", *HOLDS, cpu="500m")

    assert outcome(world(held, workload("b", pods=2, cpu="500m"), cpu=1)) == {"b": pending(short)}
    assert outcome(world(workload("c", cpu="2"), cpu=1)) == {
        "c": pending("insufficient quota for cpu in flavor default, request > maximum capacity")
    }
    assert outcome(world(workload("d", cpu="1"), pods=1)) == {"d": pending("resource cpu unavailable in ClusterQueue")}


def test_the_admission_says_which_flavor_each_pod_set_has_and_how_much_of_it():
    ((_, status),) = quota_step(World(**world(workload("a", pods=2, cpu="500m"))))

    assert status["admission"] == {
        "clusterQueue": "machines",
        "podSetAssignments": [
            {
                "name": "main",
                "count": 2,
                "flavors": {"pods": "default", "cpu": "default"},
                "resourceUsage": {"pods": "2", "cpu": "1"},
            }
        ],
    }


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"local_queues": ()}, "LocalQueue team doesn't exist"),
        ({"cluster_queues": ()}, "ClusterQueue machines doesn't exist"),
        ({"stop": ("Hold", "None")}, "LocalQueue team is inactive"),
        ({"stop": ("None", "Hold")}, "ClusterQueue machines is inactive"),
    ],
    ids=["no local queue", "no cluster queue", "local on hold", "cluster on hold"],
)
def test_a_queue_that_is_not_there_or_on_hold_admits_nobody_and_says_so(change, message):
    stop = change.pop("stop", ("None", "None"))

    assert outcome(world(workload("a"), stop=stop), **change) == {
        "a": {"QuotaReserved": ("False", "Inadmissible", message)}
    }


@pytest.mark.parametrize(
    ("stop", "reason"),
    [(("HoldAndDrain", "None"), "LocalQueueStopped"), (("None", "HoldAndDrain"), "ClusterQueueStopped")],
    ids=["local", "cluster"],
)
def test_a_queue_that_is_drained_evicts_what_it_has_admitted_and_one_on_hold_does_not(stop, reason):
    held = workload("a", *HOLDS)

    assert outcome(world(held, stop=stop))["a"]["Evicted"][:2] == ("True", reason)
    assert outcome(world(held, stop=("Hold", "Hold"))) == {}


def test_the_evicted_keeps_its_quota_until_its_job_has_stopped():
    seen = world(workload("a", *HOLDS), workload("b", second=1), pods=1, cpu=8)
    found = outcome(seen, evictions={"uid-a": ("Preempted", "for b")})

    assert found["a"]["Evicted"] == ("True", "Preempted", "for b")
    assert found["b"]["QuotaReserved"][0] == "False"


@KINDS
def test_a_new_job_gets_a_workload_with_the_pods_that_it_will_have(kind):
    plan = pair_step(job(kind), None, NOW)

    assert plan.create["spec"]["queueName"] == "team"
    assert plan.create["metadata"]["labels"] == {"kueue.x-k8s.io/job-uid": f"uid-{kind}"}
    assert {one["name"]: one["count"] for one in plan.create["spec"]["podSets"]} == JOB_SPECS[kind][1]
    assert plan.suspend is None
    assert pair_step(job(kind, suspended=False), None, NOW).suspend is True


@KINDS
def test_a_job_runs_exactly_while_its_workload_is_admitted_and_not_evicted(kind):
    admitted, evicted = workload("a", *HOLDS), workload("a", *HOLDS, condition("Evicted"))

    assert pair_step(job(kind), admitted, NOW) == Pairing(suspend=False)
    assert pair_step(job(kind, suspended=False), admitted, NOW) == Pairing()
    assert pair_step(job(kind, suspended=False), evicted, NOW) == Pairing(suspend=True)
    assert pair_step(job(kind, suspended=False), workload("a"), NOW) == Pairing(suspend=True)
    assert pair_step(job(kind), workload("a"), NOW) == Pairing()


@KINDS
def test_the_evicted_waits_again_once_its_job_has_no_pods(kind):
    evicted = workload("a", *HOLDS, condition("Evicted", message="for b"))
    assert pair_step(job(kind, status=AT_WORK[kind]), evicted, NOW) == Pairing()

    status = pair_step(job(kind), evicted, NOW).status

    told = {one["type"]: (one["status"], one["reason"]) for one in status["conditions"]}
    assert told["QuotaReserved"] == ("False", "Pending")
    assert told["Admitted"] == ("False", "NoReservation")
    assert "admission" not in status
    again = workload("a") | {"status": status}
    assert outcome(world(again))["a"]["Evicted"][0] == "False"


@KINDS
def test_the_end_of_the_job_is_that_of_its_workload_and_the_last_word(kind):
    for status, how in zip(ENDS[kind], ("Succeeded", "Failed"), strict=True):
        over = job(kind, suspended=False, status=status)
        told = pair_step(over, workload("a", *HOLDS), NOW).status
        assert said(told)["Finished"] == ("True", how, f"Job {how.lower()}")
        assert pair_step(over, workload("a", *HOLDS, condition("Finished")), NOW) == Pairing()
        assert pair_step(over, None, NOW) == Pairing()


@KINDS
def test_a_job_that_names_no_queue_is_left_alone(kind):
    assert pair_step(job(kind, queue="", suspended=False), None, NOW) == Pairing()


@KINDS
def test_what_is_read_of_a_kind(kind):
    assert is_suspended(job(kind))
    assert not is_suspended(job(kind, suspended=False))
    assert is_active(job(kind, status=AT_WORK[kind]))
    assert not is_active(job(kind))
    assert ended(job(kind)) == ""
    assert all(one["template"] for one in pod_sets(job(kind)))


def test_a_kind_that_it_does_not_know_is_refused():
    with pytest.raises(ValueError, match=r"kinds: expected some of Job, .* found Pod"):
        Kueue(Cluster("http://127.0.0.1:1"), kinds=(Pod,))
