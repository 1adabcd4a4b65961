"""The same workloads on the embedded server, with our controllers, and on a real control plane with the real ones.

On the real one the player of stages stands in for the kubelets. What comes of each workload is compared.
"""

import asyncio
import contextlib

import pytest
from servers import control_plane_binaries, open_server

from windlass.envtest.controlplane import ControlPlane
from windlass.envtest.workloads import NodeSpec, Taint, Workloads
from windlass.envtest.workloads.objects import ReplicaSet
from windlass.informers import Api, Client, Cluster, Deployment, Job, Key, Namespace, Pod, StatefulSet

EXIT, RUN = "envtest.windlass.dev/exit-codes", "envtest.windlass.dev/run-seconds"
NODES = (
    NodeSpec("plain"),
    NodeSpec("large", {"nvidia.com/gpu": "1"}, labels={"size": "large"}),
    NodeSpec("guarded", labels={"guarded": "yes"}, taints=[Taint("guarded", "yes")]),
)


def template(*, restart="Always", annotations=None, resources=None, **spec):
    container = {"name": "main", "image": "example.com/a:1", "resources": resources or {}}
    metadata = {"labels": {"app": "a"}, "annotations": annotations or {}}
    return {"metadata": metadata, "spec": {"restartPolicy": restart, "containers": [container], **spec}}


def job(*, restart="Never", annotations=None, **spec):
    return Job, {"template": template(restart=restart, annotations=annotations), **spec}


def replicated(kind, replicas, **spec):
    body = {"replicas": replicas, "selector": {"matchLabels": {"app": "a"}}, "template": template(), **spec}
    return kind, body | ({"serviceName": "a"} if kind is StatefulSet else {})


def pod(**spec):
    return Pod, template(**spec)["spec"]


GPU = {"limits": {"nvidia.com/gpu": "1"}}
WORKLOADS = {
    "one-pod": job(),
    "three-of-two": job(completions=3, parallelism=2),
    "fails": job(annotations={EXIT: "3"}, backoffLimit=0),
    "restarts-and-succeeds": job(restart="OnFailure", annotations={EXIT: "1,0"}),
    "restarts-too-often": job(restart="OnFailure", annotations={EXIT: "1"}, backoffLimit=2),
    "too-slow": job(annotations={RUN: "600"}, activeDeadlineSeconds=1),
    "deployed": replicated(Deployment, 3),
    "recreated": replicated(Deployment, 2, strategy={"type": "Recreate"}),
    "ordered": replicated(StatefulSet, 3),
    "alone": replicated(ReplicaSet, 2),
    "selecting": pod(nodeSelector={"size": "large"}),
    "computing": pod(resources=GPU),
    "tolerating": pod(nodeSelector={"guarded": "yes"}, tolerations=[{"key": "guarded", "operator": "Exists"}]),
    "kept-out": pod(nodeSelector={"guarded": "yes"}),
    "too-large": pod(resources={"limits": {"nvidia.com/gpu": "2"}}),
}
FIELDS = ("active", "succeeded", "failed", "replicas", "updatedReplicas", "readyReplicas", "currentReplicas")
OVER = {"Complete", "Failed"}
# Kubernetes 1.20 deletes the Pods of a Job that has failed, then writes that they have failed; when that write meets a
# conflict, the Pods are no longer there to be counted at the second attempt.
ENDED_EARLY = ("restarts-too-often", "too-slow")


def body_of(name, namespace, kind, spec):
    # A workload selects its own Pods: each has a label of its own.
    mark = {"app": name}
    if kind is not Pod:
        spec = spec | {"template": spec["template"] | {"metadata": spec["template"]["metadata"] | {"labels": mark}}}
    if kind is not Job and kind is not Pod:
        spec = spec | {"selector": {"matchLabels": mark}}
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": metadata, "spec": spec}


def has_settled(kind, obj):
    status = obj.get("status") or {}
    conditions = {one["type"]: one["status"] for one in status.get("conditions") or ()}
    if kind is Job:
        return bool(OVER & {one for one, state in conditions.items() if state == "True"})
    if kind is Pod:
        return status.get("phase") == "Running" or conditions.get("PodScheduled") == "False"
    wanted, seen = obj["spec"]["replicas"], status.get("observedGeneration", 0)
    is_counted = kind is ReplicaSet or status.get("updatedReplicas", 0) == wanted
    return (
        seen >= obj["metadata"]["generation"]
        and status.get("replicas", 0) == status.get("readyReplicas", 0) == wanted
        and is_counted
        and (kind is not Deployment or "NewReplicaSetAvailable" in {one["reason"] for one in status["conditions"]})
    )


def outcome(kind, obj):
    """What must be the same everywhere."""
    status = obj["status"]
    conditions = {(one["type"], one["status"], one.get("reason")) for one in status.get("conditions") or ()}
    if kind is Pod:
        scheduled = [(state, reason) for name, state, reason in conditions if name == "PodScheduled"]
        return status["phase"], obj["spec"].get("nodeName"), scheduled
    counts = {name: status[name] for name in FIELDS if status.get(name)}
    if obj["metadata"]["name"] in ENDED_EARLY:
        counts.pop("failed", None)
    return counts, {"startTime", "completionTime"} & set(status), conditions


class Bench:
    def __init__(self, api, namespace):
        self.api = api
        self.namespace = namespace

    async def create(self):
        for name, (kind, spec) in WORKLOADS.items():
            await self.api.create(kind, body_of(name, self.namespace, kind, spec))

    async def settled(self, name):
        """The workload once nothing more is to come."""
        kind = WORKLOADS[name][0]
        while not has_settled(kind, obj := (await self.get(kind, name))):  # noqa: ASYNC110
            await asyncio.sleep(0.1)
        return obj

    async def get(self, kind, name):
        return (await self.api.get(kind, Key(self.namespace, name))).to_dict()

    async def pods(self, name):
        found = await self.api.list(Pod, namespace=self.namespace, labels=f"app={name}")
        return sorted((one.to_dict() for one in found.items), key=lambda one: one["metadata"]["name"])

    async def outcomes(self):
        found = {}
        for name, (kind, _) in WORKLOADS.items():
            found[name] = outcome(kind, await self.settled(name))
        for name in ("three-of-two", "fails", "restarts-and-succeeds", "deployed", "alone"):
            pods = await self.pods(name)
            restarts = sum(one["restartCount"] for pod in pods for one in pod["status"]["containerStatuses"])
            found[f"pods of {name}"] = [pod["status"]["phase"] for pod in pods], restarts
        ordered = await self.pods("ordered")
        found["pods of ordered"] = [pod["metadata"]["name"] for pod in ordered]
        times = [_ready_at(pod) for pod in ordered], [pod["metadata"]["creationTimestamp"] for pod in ordered]
        assert times[0][0] <= times[1][1]
        assert times[0][1] <= times[1][2]
        return found

    async def changed(self):
        """After a new template, a change of size, and the loss of a Pod."""
        lost = (await self.pods("alone"))[0]["metadata"]
        await self.api.delete(Pod, Key(self.namespace, lost["name"]))
        await self.patch(Deployment, "deployed", {"template": {"metadata": {"annotations": {"version": "2"}}}})
        await self.patch(Deployment, "recreated", {"template": {"metadata": {"annotations": {"version": "2"}}}})
        await self.patch(StatefulSet, "ordered", {"replicas": 1})
        found = {}
        for name in ("deployed", "recreated", "ordered", "alone"):
            obj, pods = await self.rested(name, without=lost["uid"])
            found[name] = outcome(WORKLOADS[name][0], obj)
            found[f"versions of {name}"] = [one["metadata"].get("annotations", {}).get("version") for one in pods]
        sets = [one.to_dict() for one in (await self.api.list(ReplicaSet, namespace=self.namespace)).items]
        sizes = {name: sorted(one["spec"]["replicas"] for one in sets if one["metadata"]["name"].startswith(name))
                 for name in ("deployed-", "recreated-")}  # fmt: skip
        return found | sizes

    async def rested(self, name, *, without):
        """The workload and its Pods when the last of the old ones has gone."""
        while True:
            pods = await self.pods(name)
            obj = await self.settled(name)
            old = [one for one in pods if "deletionTimestamp" in one["metadata"] or one["metadata"]["uid"] == without]
            if not old and len(pods) == obj["spec"]["replicas"]:
                return obj, pods
            await asyncio.sleep(0.1)

    async def patch(self, kind, name, spec):
        await self.api.patch(kind, Key(self.namespace, name), {"spec": spec})


def _ready_at(pod):
    return next(one["lastTransitionTime"] for one in pod["status"]["conditions"] if one["type"] == "Ready")


@contextlib.asynccontextmanager
async def bench(server, *, controllers):
    cluster = Cluster.from_dict(server.kubeconfig())
    async with Workloads(cluster, nodes=NODES, controllers=controllers), Client(cluster) as client:
        api = Api(client)
        await api.create(Namespace, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "workloads"}})
        yield Bench(api, "workloads")


async def played(bench):
    await bench.create()
    return await bench.outcomes(), await bench.changed()


COMPLETE = {("Complete", "True", None)}
TIMES = {"startTime", "completionTime"}
STEADY = {("Available", "True", "MinimumReplicasAvailable"), ("Progressing", "True", "NewReplicaSetAvailable")}


def failed(reason, **counts):
    return counts, {"startTime"}, {("Failed", "True", reason)}


def replicas(count, *fields):
    return dict.fromkeys(("replicas", "readyReplicas", *fields), count)


FIRST = {
    "one-pod": ({"succeeded": 1}, TIMES, COMPLETE),
    "three-of-two": ({"succeeded": 3}, TIMES, COMPLETE),
    "fails": failed("BackoffLimitExceeded", failed=1),
    "restarts-and-succeeds": ({"succeeded": 1}, TIMES, COMPLETE),
    "restarts-too-often": failed("BackoffLimitExceeded"),
    "too-slow": failed("DeadlineExceeded"),
    "deployed": (replicas(3, "updatedReplicas"), set(), STEADY),
    "recreated": (replicas(2, "updatedReplicas"), set(), STEADY),
    "ordered": (replicas(3, "updatedReplicas", "currentReplicas"), set(), set()),
    "alone": (replicas(2), set(), set()),
    "selecting": ("Running", "large", [("True", None)]),
    "computing": ("Running", "large", [("True", None)]),
    "tolerating": ("Running", "guarded", [("True", None)]),
    "kept-out": ("Pending", None, [("False", "Unschedulable")]),
    "too-large": ("Pending", None, [("False", "Unschedulable")]),
    "pods of three-of-two": (["Succeeded"] * 3, 0),
    "pods of fails": (["Failed"], 0),
    "pods of restarts-and-succeeds": (["Succeeded"], 1),
    "pods of deployed": (["Running"] * 3, 0),
    "pods of alone": (["Running"] * 2, 0),
    "pods of ordered": ["ordered-0", "ordered-1", "ordered-2"],
}
LATER = {
    "deployed": FIRST["deployed"],
    "versions of deployed": ["2"] * 3,
    "recreated": FIRST["recreated"],
    "versions of recreated": ["2"] * 2,
    "ordered": (replicas(1, "updatedReplicas", "currentReplicas"), set(), set()),
    "versions of ordered": [None],
    "alone": FIRST["alone"],
    "versions of alone": [None] * 2,
    "deployed-": [0, 3],
    "recreated-": [0, 2],
}


@pytest.mark.realtime
async def test_workloads_run_on_the_embedded_server():
    async with open_server("embedded") as server, bench(server, controllers=True) as place:
        first, later = await played(place)
    assert first == FIRST
    assert later == LATER


@pytest.mark.realtime(limit=240)
async def test_the_real_controllers_make_the_same_of_them_with_the_player_alone():
    plane = ControlPlane(control_plane_binaries(), scheduler=True)
    async with plane, bench(plane, controllers=False) as place:
        first, later = await played(place)
    assert first == FIRST
    assert later == LATER
