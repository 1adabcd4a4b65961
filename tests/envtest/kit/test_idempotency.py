"""Woken with nothing to do, a sound operator does nothing; what any other does is listed."""

import contextlib
import re

import attrs
import pytest
from operators_under_test import (
    ORDER,
    Shop,
    buys_at_every_run,
    buys_once,
    counts_in_a_secret,
    deletes_and_creates,
    operator,
)
from servers import EVERY_SERVER, open_server

from windlass.controller import Context, Request
from windlass.envtest.kit import NotIdempotent, Trial, TrialError, assert_idempotent
from windlass.informers import Cluster, ConfigMap, CustomResource, ObjectMeta
from windlass.manifests import kind

pytestmark = pytest.mark.realtime(limit=150)

SERVERS = pytest.mark.parametrize("server", EVERY_SERVER)


@contextlib.asynccontextmanager
async def cluster_of(server="embedded"):
    async with open_server(server) as running:
        yield Cluster.from_dict(running.kubeconfig())


@SERVERS
async def test_an_operator_that_applies_the_same_each_time_passes(server):
    shop, runs = Shop(), []

    async def counted(shop, ctx: Context, request: Request) -> None:
        runs.append(request.reason)
        await buys_once(shop, ctx, request)

    async with cluster_of(server) as cluster:
        trial = Trial(operator(counted, shop=shop), ORDER, cluster, effects=shop)
        end = await assert_idempotent(trial, runs=4)
    assert end.effects == {"buy tea": 1}
    assert set(end.objects) == {"configmaps order", "secrets order"}
    # It was woken by hand, by its touched objects, and by starting anew.
    assert runs.count("woken") >= 1
    assert runs.count("initial") >= 2
    assert len(runs) >= 1 + 4


async def test_a_deleted_and_recreated_object_is_found_by_the_requests_though_the_end_looks_the_same():
    async with cluster_of() as cluster:
        with pytest.raises(NotIdempotent) as failure:
            await assert_idempotent(Trial(operator(deletes_and_creates), ORDER, cluster))
    text = str(failure.value)
    assert "run 1 of 3, seed " in text
    assert "  delete secrets.v1 <namespace>/order (resource version " in text
    assert "  create secrets.v1 <namespace>/(new) (resource version none -> " in text
    assert "what differs" not in text


async def test_a_changed_object_is_found_by_request_and_difference():
    async with cluster_of() as cluster:
        with pytest.raises(NotIdempotent) as failure:
            await assert_idempotent(Trial(operator(counts_in_a_secret), ORDER, cluster))
    assert "  apply secrets.v1 <namespace>/order (resource version " in str(failure.value)
    assert re.search(r"^-\s+runs: '1'\n\+\s+runs: '[2-9]'$", str(failure.value), re.MULTILINE)


async def test_an_effect_that_happens_again_is_found_though_nothing_was_written():
    shop = Shop()
    async with cluster_of() as cluster:
        with pytest.raises(NotIdempotent) as failure:
            await assert_idempotent(Trial(operator(buys_at_every_run, shop=shop), ORDER, cluster, effects=shop))
    assert "-  buy tea: 1" in str(failure.value)
    assert "requests that were no no-ops" not in str(failure.value)


async def test_what_only_happens_after_a_restart_is_found():
    """The second run starts the operator anew; a memory of its process does not help it then."""
    shop = Shop()

    def setup(manager):
        bought = set()

        async def remembers(ctx: Context, request: Request) -> None:
            if await ctx.get(ConfigMap, request.key) is not None and request.key not in bought:
                bought.add(request.key)
                shop.buy("tea", request.reconcile_id)

        operator(remembers)(manager)

    async with cluster_of() as cluster:
        trial = Trial(setup, ORDER, cluster, effects=shop)
        await assert_idempotent(trial, runs=1)
        with pytest.raises(NotIdempotent, match="run 2 of 2"):
            await assert_idempotent(trial, runs=2)


async def test_a_seed_repeats_the_orders_and_the_number_of_runs_is_checked():
    async with cluster_of() as cluster:
        trial = Trial(operator(deletes_and_creates), ORDER, cluster)
        with pytest.raises(NotIdempotent, match="seed 7"):
            await assert_idempotent(trial, seed=7)
        with pytest.raises(ValueError, match="runs >= 1, found 0"):
            await assert_idempotent(trial, runs=0)


# A reconcile function alone.


@attrs.frozen
class TeaSpec:
    kind: str


@kind("tests.windlass.dev/v1")
@attrs.frozen
class Tea(CustomResource):
    spec: TeaSpec


GREEN = Tea(TeaSpec("green"), metadata=ObjectMeta(name="cup"))


async def brews(ctx: Context, request: Request) -> None:
    tea = await ctx.get(Tea, request.key)
    if tea is not None:
        cup = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "cup"}, "data": {"of": tea.spec.kind}}
        await ctx.apply(cup, owner=tea)


async def test_a_reconcile_function_is_tried_on_an_object_of_its_kind_and_nothing_else_is_needed():
    end = await assert_idempotent(brews, GREEN, runs=3)
    assert set(end.objects) == {"configmaps cup", "teas.tests.windlass.dev cup"}


async def test_a_reconcile_function_that_does_something_each_time_is_found():
    async def refills(ctx: Context, request: Request) -> None:
        await ctx.api.create(ConfigMap, {"metadata": {"generateName": "cup-"}}, namespace=request.key.namespace)

    with pytest.raises(NotIdempotent, match=r"create configmaps\.v1 <namespace>"):
        await assert_idempotent(refills, GREEN, seed=1)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((brews,), "expected an object of a class with @kind beside a reconcile function, found NoneType"),
        ((brews, ORDER), "found dict; a Trial takes any object"),
        ((Trial(operator(brews), ORDER, Cluster("http://127.0.0.1:1")), GREEN), "a Trial has its objects already"),
    ],
    ids=["no object", "an untyped object", "a trial and an object"],
)
async def test_what_is_neither_a_trial_nor_a_function_and_its_object_is_refused(arguments, words):
    with pytest.raises(TrialError, match=re.escape(words)):
        await assert_idempotent(*arguments)
