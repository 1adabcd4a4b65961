"""A promotion whose controller is killed at each of its calls in turn ends the same, with as many writes (G1)."""

import pytest
from promotion_house import FINAL, open_house, promotion, service

from windlass.envtest.kit import Trial, assert_idempotent, for_every_crash_point
from windlass.envtest.workloads.kserve import Behaviour, InferenceService, KServe
from windlass.informers.keys import Key
from windlass.operators.promotion import Promotion, PromotionSettings, setup

pytestmark = [pytest.mark.realtime(limit=240), pytest.mark.slow]

SETTINGS = PromotionSettings(look_seconds=0.02)
VOLATILE = ("status.journal", "status.since", "status.troubleSince", "status.operations")


def _operator(manager):
    manager.register(InferenceService)
    setup(manager, SETTINGS)


def trial(home, body, until):
    objects = [service(), body]
    return Trial(_operator, objects, home.cluster, until=until, kinds=[InferenceService], volatile=VOLATILE)


async def sweep(body, *, script=None, phase):
    """Kill at every point; the generations of the target at the ends, which count the writes that changed it."""
    generations = {}

    async def until(api, namespace):
        found = (await api.get(Promotion, Key(namespace, "digits-2"))).as_(Promotion)
        target = await api.get(InferenceService, Key(namespace, "digits"))
        generations[namespace] = target.generation
        assert found.status.phase not in FINAL or found.status.phase == phase, found.status.journal[-1]
        return found.status.phase == phase

    async with open_house(script=script) as home, KServe(home.cluster, script):
        report = await for_every_crash_point(trial(home, body, until))
    return report, set(generations.values()), len(generations)


async def test_killed_anywhere_a_promotion_completes_with_the_same_two_writes():
    report, generations, runs = await sweep(promotion([(10, "0s")]), phase="Succeeded")

    assert generations == {3}
    writes = [str(call) for point, call in report.points if point.sort == "write"]
    assert sum("inferenceservices" in call for call in writes) >= 4, "each of two writes, before and after"
    print(len(report.points), "crash points in", runs, "runs")


async def test_killed_anywhere_a_rollback_ends_at_the_previous_release_with_the_same_writes():
    script = {"digits/2": Behaviour(fails="load")}
    report, generations, runs = await sweep(promotion([(10, "0s")]), script=script, phase="RolledBack")

    assert generations == {4}
    print(len(report.points), "crash points in", runs, "runs")


async def test_looking_again_at_a_promotion_that_has_ended_changes_nothing():
    """G3."""

    async def until(api, namespace):
        return (await api.get(Promotion, Key(namespace, "digits-2"))).as_(Promotion).status.phase == "Succeeded"

    async with open_house() as home, KServe(home.cluster):
        await assert_idempotent(trial(home, promotion([(10, "0s")]), until))
