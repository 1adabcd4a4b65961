"""What plans need to be performed in the right order: here, what the scheduler knows before the cache does."""

from types import SimpleNamespace

import msgspec

from windlass.controller import Request
from windlass.envtest.workloads.nodes import NodeSpec
from windlass.envtest.workloads.reconcilers import Scheduler
from windlass.informers import Key, Node, Object, Pod
from windlass.informers.errors import Conflict

NOW = "2026-08-01T12:00:00Z"


def parsed(body, resource):
    return Object.parse(msgspec.json.encode(body), resource)


def pod(name, **spec):
    metadata = {"name": name, "namespace": "n", "uid": f"uid-{name}", "resourceVersion": "1"}
    return {"kind": "Pod", "metadata": metadata, "spec": {"containers": []} | spec, "status": {"phase": "Pending"}}


class Cluster:
    """A cache that stands still, and a server that is only written to."""

    def __init__(self, *pods, nodes, refuse=False):
        self.pods = {Key("n", one["metadata"]["name"]): one for one in pods}
        self.nodes = [parsed(one.body() | {"status": one.status(NOW)}, Node) for one in nodes]
        self.bound = []
        self.unscheduled = []
        self.refuse = refuse
        self.api = SimpleNamespace(create=self._create)

    async def get(self, kind, key):
        return parsed(self.pods[key], Pod) if key in self.pods else None

    async def list(self, kind):
        return self.nodes if kind is Node else [parsed(one, Pod) for one in self.pods.values()]

    async def status(self, obj, *, conditions):
        self.unscheduled.append((obj.name, conditions[-1]["message"]))
        return True

    async def _create(self, kind, binding, *, name, subresource):
        if self.refuse:
            raise Conflict.__new__(Conflict)
        self.bound.append((name, binding["target"]["name"]))

    async def play(self, scheduler, name):
        return await scheduler(self, Request(Key("n", name)))


async def test_what_was_bound_takes_room_before_the_cache_shows_it():
    cluster = Cluster(pod("a"), pod("b"), nodes=[NodeSpec("one", {"pods": "1"})])
    scheduler = Scheduler()
    await cluster.play(scheduler, "a")
    result = await cluster.play(scheduler, "b")
    assert cluster.bound == [("a", "one")]
    assert cluster.unscheduled == [("b", "0/1 nodes are available: 1 Too many pods.")]
    assert result.after_seconds is not None, "room comes without a change of the Pod"


async def test_a_pod_that_was_bound_is_not_bound_again_and_forgotten_once_it_is_seen():
    cluster = Cluster(pod("a"), pod("b"), nodes=[NodeSpec("one"), NodeSpec("two")])
    scheduler = Scheduler()
    await cluster.play(scheduler, "a")
    await cluster.play(scheduler, "a")
    assert cluster.bound == [("a", "one")]
    cluster.pods[Key("n", "a")]["spec"]["nodeName"] = "one"
    await cluster.play(scheduler, "b")
    assert cluster.bound == [("a", "one"), ("b", "two")]
    assert repr(scheduler) == "<Scheduler default-scheduler unseen=1>"


async def test_pods_of_another_scheduler_finished_ones_and_those_that_go_are_left_alone():
    going, done = pod("going"), pod("done")
    going["metadata"]["deletionTimestamp"] = NOW
    done["status"]["phase"] = "Succeeded"
    cluster = Cluster(pod("theirs", schedulerName="other"), going, done, nodes=[NodeSpec("one")])
    for name in ("theirs", "going", "done", "absent"):
        await cluster.play(Scheduler(), name)
    assert cluster.bound == []
    await cluster.play(Scheduler("other"), "theirs")
    assert cluster.bound == [("theirs", "one")]


async def test_a_pod_that_somebody_else_has_bound_meanwhile_is_theirs():
    cluster = Cluster(pod("a"), nodes=[NodeSpec("one")], refuse=True)
    scheduler = Scheduler()
    assert (await cluster.play(scheduler, "a")).after_seconds is None
    assert "unseen=0" in repr(scheduler)
