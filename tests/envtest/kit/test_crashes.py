"""A sweep lets a sound operator pass, and finds the fault of each of the others at the call where it lies."""

import contextlib
import sys
from pathlib import Path

import pytest
from operators_under_test import (
    ORDER,
    Shop,
    asks_again_and_again,
    buys_once,
    buys_then_records,
    counts_its_runs,
    creates_under_fresh_names,
    forgets_what_it_keeps,
    keeps_until_deleted,
    marks_then_creates,
    operator,
)
from servers import EVERY_SERVER, open_server

from windlass.controller import Manager
from windlass.envtest.kit import CrashPoint, CrashPointFailed, NeverAtRest, Trial, TrialError, for_every_crash_point
from windlass.informers import Api, Client, Cluster, ConfigMap, Key, ObjectMeta, Secret
from windlass.informers.errors import ConnectionFailed
from windlass.manifests.install import install

pytestmark = pytest.mark.realtime(limit=150)

SERVERS = pytest.mark.parametrize("server", EVERY_SERVER)


@contextlib.asynccontextmanager
async def cluster_of(server="embedded"):
    async with open_server(server) as running:
        yield Cluster.from_dict(running.kubeconfig())


async def delete_the_order(api, namespace):
    await api.delete(ConfigMap, Key(namespace, "order"))


@SERVERS
async def test_the_operator_of_the_readme_survives_every_crash(server):
    sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "docs" / "tutorial"))
    try:
        import greeting
    finally:
        del sys.path[0]
    body = greeting.Greeting(metadata=ObjectMeta(name="a"), spec=greeting.GreetingSpec("World"))
    async with cluster_of(server) as cluster:
        async with Client(cluster) as client:
            await install(Api(client), [greeting.Greeting])
        report = await for_every_crash_point(Trial(greeting.setup, body, cluster))
    calls = [(point.moment, call.verb, call.plural) for point, call in report.points]
    assert {("before", "apply", "configmaps"), ("after", "apply", "configmaps")} <= set(calls)
    assert calls[0] == ("before", "apply", "configmaps"), "writes come first"
    assert {call.verb for point, call in report.points if point.sort == "read"} >= {"get", "list"}
    assert report.end.objects["configmaps a"]["data"] == {"message": "Hello, World!"}


@SERVERS
async def test_an_operator_that_acts_under_a_fixed_reference_passes(server):
    shop = Shop()
    async with cluster_of(server) as cluster:
        report = await for_every_crash_point(Trial(operator(buys_once, shop=shop), ORDER, cluster, effects=shop))
    assert report.end.effects == {"buy tea": 1}
    assert set(report.end.objects) == {"configmaps order", "secrets order"}
    for sort in ("read", "write"):  # each was a point, in order
        numbers = [point.number for point, _ in report.points if (point.moment, point.sort) == ("before", sort)]
        assert numbers == list(range(1, len(numbers) + 1))
        assert numbers
    assert {point.sort for point, _ in report.points if point.moment == "after"} == {"write"}
    assert all(call.writes == (point.sort == "write") for point, call in report.points)


async def test_an_operator_that_cleans_up_before_it_lets_go_passes():
    shop = Shop()
    async with cluster_of() as cluster:
        trial = Trial(operator(keeps_until_deleted, shop=shop), ORDER, cluster, then=delete_the_order, effects=shop)
        report = await for_every_crash_point(trial)
    assert report.end.objects == {}
    assert report.end.effects == {"buy tea": 1, "give back": 1}


@pytest.mark.parametrize(
    ("reconcile", "then", "request_", "moment", "difference"),
    [
        pytest.param(buys_then_records, None, "apply secrets", "before", "+  buy tea: 2", id="effect-before-record"),
        pytest.param(marks_then_creates, None, "patch configmaps", "after", "-secrets order:", id="mark-before-work"),
        pytest.param(
            creates_under_fresh_names, None, "create secrets", "after", "+secrets child-<generated> (2):", id="names"
        ),
        pytest.param(
            forgets_what_it_keeps, delete_the_order, "patch configmaps", "after", "-  give back: 1", id="finalizer"
        ),
    ],
)
async def test_a_planted_fault_is_found_at_its_call(reconcile, then, request_, moment, difference):
    shop = Shop()
    needs_shop = reconcile in (buys_then_records, forgets_what_it_keeps)
    setup = operator(reconcile, shop=shop if needs_shop else None)
    async with cluster_of() as cluster:
        trial = Trial(setup, ORDER, cluster, then=then, effects=shop, settle_seconds=0)
        with pytest.raises(CrashPointFailed) as failure:
            await for_every_crash_point(trial)
        lines = str(failure.value).splitlines()
        only = lines[-1].partition('only="')[2].partition('"')[0]
        assert lines[0].startswith(f"killed {only}, {request_}")
        assert CrashPoint.parse(only).moment == moment
        assert difference in lines
        assert "trial-" not in str(failure.value), "a namespace's name is of no use to the reader"
        # The line that the message ends with leads there again; the sound points before it do not.
        with pytest.raises(CrashPointFailed):
            await for_every_crash_point(trial, only=only)
        assert len((await for_every_crash_point(trial, only="before read 1")).points) == 1


async def test_a_point_that_is_never_reached_is_an_error_and_no_success():
    async with cluster_of() as cluster:
        trial = Trial(operator(marks_then_creates), ORDER, cluster)
        with pytest.raises(TrialError, match="without a moment 'before write 999'"):
            await for_every_crash_point(trial, only="before write 999")
        for nonsense in ("7", "after read 1", "before write 0"):
            with pytest.raises(TrialError, match=f"'after effect N', found '{nonsense}'"):
                await for_every_crash_point(trial, only=nonsense)


async def test_an_operator_that_fails_when_it_starts_anew_is_found():
    shop = Shop()

    class Guard:
        name = "guard"

        async def run(self):
            if shop.sold:
                raise RuntimeError("there are sales from before my time")

    def setup(manager: Manager) -> None:
        operator(buys_once, shop=shop)(manager)
        manager.add(Guard())

    async with cluster_of() as cluster:
        with pytest.raises(CrashPointFailed, match="then: RuntimeError: there are sales from before my time"):
            await for_every_crash_point(Trial(setup, ORDER, cluster, effects=shop))


async def test_an_operator_that_never_rests_is_told_so():
    async with cluster_of() as cluster:
        with pytest.raises(NeverAtRest, match=r"not come to rest in 0\.5 s"):
            await for_every_crash_point(Trial(operator(counts_its_runs), ORDER, cluster, limit_seconds=0.5))


async def test_the_end_can_be_somebody_elses_word():
    shop = Shop()

    async def never(api, namespace):
        return False

    async with cluster_of() as cluster:
        trial = Trial(operator(buys_once, shop=shop), ORDER, cluster, until=never, limit_seconds=0.5)
        with pytest.raises(NeverAtRest, match="until does not hold"):
            await for_every_crash_point(trial)


async def test_an_operator_that_asks_again_and_again_needs_a_word_for_its_end():
    shop = Shop()

    async def delivered(api, namespace):
        return bool((await api.list(Secret, namespace=namespace)).items)

    async with cluster_of() as cluster:
        setup = operator(asks_again_and_again, shop=shop)
        report = await for_every_crash_point(
            Trial(setup, ORDER, cluster, until=delivered, effects=shop), only="after write 1"
        )
        assert report.end.effects == {"buy tea": 1}
        with pytest.raises(NeverAtRest, match=r"timer that fires within 5 s|working on|keys to work on"):
            await for_every_crash_point(Trial(setup, ORDER, cluster, effects=shop, limit_seconds=0.5))


@pytest.mark.parametrize(
    ("objects", "message"),
    [
        ({"apiVersion": "v1", "kind": "Widget", "metadata": {"name": "a"}}, "Widget"),
        ({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "a"}}, r"objects\[0\]: expected a namespaced kind"),
        ([ORDER, {**ORDER, "metadata": {"name": "A_B"}}], r"objects\[1\] cannot be created: .*A_B"),
    ],
    ids=["unknown", "cluster-scoped", "refused"],
)
async def test_objects_that_cannot_be_created_are_named(objects, message):
    async with cluster_of() as cluster:
        with pytest.raises(TrialError, match=message):
            await for_every_crash_point(Trial(operator(marks_then_creates), objects, cluster))


async def test_a_setup_that_adds_no_controller_is_an_error():
    async with cluster_of() as cluster:
        with pytest.raises(TrialError, match="added none"):
            await for_every_crash_point(Trial(lambda manager: None, ORDER, cluster))


async def test_a_server_that_is_not_there_is_no_finding():
    with pytest.raises(ConnectionFailed):
        await for_every_crash_point(Trial(operator(marks_then_creates), ORDER, Cluster("http://127.0.0.1:9")))
