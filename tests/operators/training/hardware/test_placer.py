"""What a placer refuses before anything is looked at, and what it asks of the API server."""

import asyncio
import json
from types import SimpleNamespace

import attrs
import pytest
from hardware_world import REGISTRY, node, pod, template, wish

from windlass.controller.subject import Subject
from windlass.informers.errors import AlreadyExists, Forbidden, NotFound, NotSynced
from windlass.informers.keys import Key
from windlass.informers.objects import Object
from windlass.operators.errors import HardwareInvalid, HardwareUnreadable, NameConflict
from windlass.operators.training.hardware.answer import Placement
from windlass.operators.training.hardware.holds import HOLD_SECONDS, RUN_LABEL
from windlass.operators.training.hardware.inventory import take_stock
from windlass.operators.training.hardware.outline import Outline
from windlass.operators.training.hardware.placer import Placer

OUTLINE = Outline(template())
JOB = Subject("ai.windlass.dev/v1alpha1", "TrainingJob", Key("team", "job"), "uid-1", "1", (), False)


class Shelf:
    """An inventory of what is on it."""

    def __init__(self, *nodes, pods=(), error=None):
        self.contents = [[json.dumps(one).encode() for one in kind] for kind in (nodes, pods)]
        self.error, self.asked = error, []

    def wait(self, key):
        pass

    async def stock(self, cache, claim_version=""):
        self.asked.append(claim_version)
        if self.error:
            raise self.error
        return take_stock(*self.contents)


class Server:
    """An API server that answers one thing."""

    def __init__(self, answer):
        self.answer, self.created = answer, []
        self.client = self

    async def send(self, request):
        return self._answered()

    async def create(self, kind, body):
        self.created.append((kind.version, body))
        return self._answered()

    async def get(self, kind, key):
        return Object.parse(json.dumps({"metadata": {"name": key.name, "ownerReferences": [self.owner]}}).encode())

    def _answered(self):
        if isinstance(self.answer, Exception):
            raise self.answer
        return SimpleNamespace(body=json.dumps({"versions": [{"version": one} for one in self.answer]}).encode())


def context(answer=(), name="job"):
    server = Server(answer)
    return SimpleNamespace(
        api=server, services=SimpleNamespace(cache=None), request=SimpleNamespace(key=Key("team", name))
    )


def refused(kind, status):
    return kind(status, kind.__name__, "no")


@pytest.mark.parametrize(
    ("placer", "outline", "spec", "why"),
    [
        (Placer(REGISTRY, Shelf()), None, {}, "makes no Pods"),
        (Placer(REGISTRY, Shelf(), namespace="team"), OUTLINE, {}, "sees the namespace team alone"),
        (Placer(REGISTRY, Shelf()), OUTLINE, {"classes": ["cpu", "tpu"]}, "'tpu'"),
        (Placer(REGISTRY, Shelf()), Outline({"spec": {"containers": []}}), {}, "expected a container"),
    ],
    ids=["no-pods", "one-namespace", "unknown", "no-container"],
)
def test_what_no_cluster_could_give_is_refused_at_once(placer, outline, spec, why):
    with pytest.raises(HardwareInvalid, match=why):
        placer.check(wish(*spec.get("classes", ["cpu"])).spec, outline)


async def test_the_pods_that_the_run_has_already_count_as_gone():
    mine = pod("g", {"nvidia.com/gpu": "1"})
    mine["metadata"]["labels"] = {"ai.windlass.dev/run": "run-1"}
    placer = Placer(REGISTRY, Shelf(node("g", gpus=1), pods=[mine]))

    there = await placer.place(context(), wish("nvidia").spec, OUTLINE, run="run-1")
    other = await placer.place(context(name="other"), wish("nvidia").spec, OUTLINE, run="run-2")

    assert isinstance(there, Placement)
    assert other.reason == "InsufficientCapacity"


async def test_two_jobs_at_once_are_not_given_the_same_device():
    placer = Placer(REGISTRY, Shelf(node("a", gpus=1), node("b", gpus=1)))

    async def job(name):
        return await placer.place(context(name=name), wish("nvidia").spec, OUTLINE, run=f"run-{name}")

    first, second, third = [await job(name) for name in ("one", "two", "three")]
    assert (first.nodes, second.nodes, third.reason) == (("a",), ("b",), "InsufficientCapacity")

    placer.inventory.forget = lambda key: None
    placer.leave(Key("team", "one"), at_rest=False)
    assert (await job("three")).reason == "InsufficientCapacity"
    placer.leave(Key("team", "one"), at_rest=True)
    assert (await job("three")).nodes == ("a",)


async def test_what_a_job_holds_itself_does_not_stand_in_its_way():
    placer = Placer(REGISTRY, Shelf(node("a", gpus=1)))

    for _ in range(2):
        assert (await placer.place(context(), wish("nvidia").spec, OUTLINE, run="r")).nodes == ("a",)


async def test_what_is_held_and_never_bound_is_free_again_after_a_while():
    placer = Placer(REGISTRY, Shelf(node("a", gpus=1)))
    await placer.place(context(name="one"), wish("nvidia").spec, OUTLINE, run="r1")

    await asyncio.sleep(HOLD_SECONDS - 1)
    held = await placer.place(context(name="two"), wish("nvidia").spec, OUTLINE, run="r2")
    await asyncio.sleep(1)
    free = await placer.place(context(name="two"), wish("nvidia").spec, OUTLINE, run="r2")

    assert (held.reason, free.nodes) == ("InsufficientCapacity", ("a",))


async def test_a_pod_that_is_bound_is_not_held_beside():
    mine = pod("a", {"nvidia.com/gpu": "1"})
    mine["metadata"]["labels"] = {RUN_LABEL: "r1"}
    shelf = Shelf(node("a", gpus=2))
    placer = Placer(REGISTRY, shelf)
    await placer.place(context(name="one"), wish("nvidia").spec, OUTLINE, run="r1")

    shelf.contents[1] = [json.dumps(mine).encode()]
    bound = await placer.place(context(name="two"), wish("nvidia").spec, OUTLINE, run="r2")

    assert bound.nodes == ("a",)


async def test_nodes_that_cannot_be_read_are_something_to_try_again():
    placer = Placer(REGISTRY, Shelf(error=NotSynced("no complete copy of nodes: forbidden")))

    with pytest.raises(HardwareUnreadable, match="forbidden") as caught:
        await placer.place(context(), wish("cpu").spec, OUTLINE, run="r")
    assert caught.value.retryable


@pytest.mark.parametrize(
    ("served", "version"),
    [
        (["v1", "v1beta2", "v1beta1"], "v1"),
        (["v1beta1", "v1beta2"], "v1beta2"),
        (["v1beta1"], "v1beta1"),
        (["v1alpha3", "v9"], ""),
        (refused(NotFound, 404), ""),
    ],
    ids=["all", "beta", "old", "unknown", "none"],
)
async def test_claims_are_made_in_the_newest_version_that_both_sides_know(served, version):
    shelf = Shelf(node("g", room={"gpu.nvidia.com": "1"}))

    found = await Placer(REGISTRY, shelf).place(context(served), wish("nvidia", form="DRA").spec, OUTLINE, run="r")

    assert shelf.asked == [version]
    if version:
        assert found.claim_version == f"resource.k8s.io/{version}"
    else:
        assert found.reason == "ClaimsNotServed"


async def test_devices_of_plugins_need_no_question_about_claims():
    shelf = Shelf(node("g", gpus=1))

    await Placer(REGISTRY, shelf).place(context(RuntimeError("asked")), wish("nvidia").spec, OUTLINE, run="r")

    assert shelf.asked == [""]


# The claim itself.


async def claimed_placement(**changes):
    shelf = Shelf(node("g", room={"gpu.nvidia.com": "1"}))
    spec = wish("nvidia", form="DRA").spec
    found = await Placer(REGISTRY, shelf).place(context(["v1beta1"]), spec, OUTLINE, run="r")
    return attrs.evolve(found, claim="job-1", **changes)


async def test_a_claim_is_made_once_in_the_jobs_namespace_and_belongs_to_the_job():
    ctx = context()

    await Placer(REGISTRY, Shelf()).claim(ctx, JOB, await claimed_placement())
    await Placer(REGISTRY, Shelf()).claim(ctx, JOB, await claimed_placement(claim_version=""))

    ((version, body),) = ctx.api.created
    assert (version, body["kind"], body["metadata"]["namespace"]) == ("v1beta1", "ResourceClaimTemplate", "team")
    assert [owner["uid"] for owner in body["metadata"]["ownerReferences"]] == ["uid-1"]


@pytest.mark.parametrize(("uid", "fine"), [("uid-1", True), ("uid-2", False)])
async def test_a_claim_that_is_there_is_the_jobs_own_or_a_conflict(uid, fine):
    ctx = context(refused(AlreadyExists, 409))
    ctx.api.owner = {"apiVersion": "v1", "kind": "X", "name": "x", "uid": uid}
    making = Placer(REGISTRY, Shelf()).claim(ctx, JOB, await claimed_placement())

    if fine:
        await making
    else:
        with pytest.raises(NameConflict, match="job-1"):
            await making


async def test_a_claim_that_may_not_be_made_is_something_to_try_again():
    with pytest.raises(HardwareUnreadable, match="cannot be made"):
        await Placer(REGISTRY, Shelf()).claim(context(refused(Forbidden, 403)), JOB, await claimed_placement())
