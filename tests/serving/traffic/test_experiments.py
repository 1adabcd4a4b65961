"""Experiments of a live route: what counts, what is rolled back, what is remembered."""

import asyncio
import contextlib
import random

import attrs
import numpy as np
import pytest
from prometheus_client import CollectorRegistry

from windlass.serving import LinearModel, ModelRepository
from windlass.serving.errors import BadRequest, DeadlineExceeded, ModelFailed, NotFound, Overloaded, RouteError
from windlass.serving.experiments.journal import Journal
from windlass.serving.traffic import Arm, Experiment, Fuse, Goal, Guardrail, Match, Route, Routes
from windlass.serving.traffic.metrics import TrafficMetrics
from windlass.serving.traffic.shadowing import Shadows
from windlass.serving.traffic.traffic import Traffic

PLAN = Experiment("e1", "a", "b", goal=Goal("errors", 0.05), guardrails=(Guardrail("errors"), Guardrail("slow")))
BLUNT = attrs.evolve(PLAN, fuse=Fuse(10**9, 1.0))


def route(plan=PLAN, weight=50, **changes):
    arms = (Arm("a", "one", weight=100 - weight), Arm("b", "two", weight=weight), Arm("c", "three"))
    return Route("m", arms, experiment=plan, forced=True, **changes)


class World:
    def __init__(self, *routes, journal=None, began=1000.0):
        self.now = began
        self.repository = ModelRepository()
        self.repository.add("one", LinearModel())
        self.repository.add("two", LinearModel(bias=2.5))
        metrics = TrafficMetrics(CollectorRegistry())
        shadows = Shadows(metrics, busy=lambda: False)
        self.traffic = Traffic(
            self.repository, metrics, shadows=shadows, journal=journal, clock=lambda: self.now, rng=random.Random(1)
        )
        self.traffic.replace(Routes.of(*(routes or (route(),))))

    def ask(self, key=None, *, error=None, seconds=0.01, headers=None):
        """The arm that answered, or failed to."""
        headers = {**({"X-Experiment-Key": key} if key is not None else {}), **(headers or {})}
        expected = contextlib.suppress(*((type(error),) if error else ()))
        with expected, self.traffic.pick("m", None, headers) as picked:
            self.now += seconds
            if error is not None and picked.variant == "b":
                raise error
        return picked.variant

    def tick(self, seconds=1.0):
        self.now += seconds
        self.traffic.tick()

    @property
    def seen(self):
        return self.traffic.experiment("m")

    @property
    def weights(self):
        return self.traffic.live("m").weights


def test_each_key_counts_once_under_its_arm():
    """T6, H5."""
    world = World()
    for _ in range(3):
        for number in range(100):
            world.ask(f"user-{number}")
    units = world.seen["units"]
    assert sum(units.values()) == 100
    assert units["a"] == world.seen["evidence"]["won"]["control"]["samples"]


def test_requests_without_a_key_do_not_count_unless_the_plan_says_so():
    """T6."""
    world = World()
    for number in range(50):
        world.ask()
        world.ask(headers={"X-Request-Id": str(number)})
    assert world.seen["units"] == {"a": 0, "b": 0}
    world = World(route(attrs.evolve(PLAN, units="requests")))
    for number in range(50):
        world.ask()
        world.ask(headers={"X-Request-Id": str(number)})
        world.ask(f"user-{number}")
    assert sum(world.seen["units"].values()) == 100


def test_forced_matched_and_fallen_back_requests_do_not_count():
    """T1, T7."""
    world = World(route(matches=(Match("X-Group", "beta", "b"),)))
    for number in range(20):
        world.ask(f"f{number}", headers={"X-Model-Variant": "b"})
        world.ask(f"g{number}", headers={"X-Group": "beta"})
        world.ask(f"h{number}", headers={"X-Model-Variant": "c"})  # not loaded: falls back
    assert world.seen["units"] == {"a": 0, "b": 0}


def test_five_failures_in_a_row_take_the_treatment_out_at_once():
    """T15, T17: the very next request is the control's."""
    world = World()
    asked = 0
    while world.seen["state"] == "collecting":
        world.ask(f"user-{asked}", error=ModelFailed("no"))
        asked += 1
    assert world.seen["state"] == "rolled back"
    assert world.seen["why"] == "5 requests of 'b' failed in a row"
    assert world.weights == {"a": 100, "b": 0, "c": 0}
    assert {world.ask(f"user-{number}") for number in range(100)} == {"a"}
    assert world.traffic.models.get("two").name == "two"  # still loaded (T17)


@pytest.mark.parametrize("error", [Overloaded("full"), NotFound("no")])
def test_what_the_client_or_the_load_did_is_no_failure_of_the_arm(error):
    world = World()
    for number in range(200):
        world.ask(f"user-{number}", error=error)
    assert world.seen["state"] == "collecting"


def test_slow_answers_roll_back_at_the_next_tick():
    """T13, T17."""
    world = World(route(BLUNT))
    for number in range(600):
        with world.traffic.pick("m", None, {"X-Experiment-Key": f"user-{number}"}) as picked:
            world.now += 1.0 if picked.variant == "b" else 0.01
    assert world.seen["state"] == "collecting"
    world.tick()
    assert world.seen["state"] == "rolled back"
    assert world.seen["why"].startswith("guardrail slow: 1 in ")


def test_a_client_that_gave_up_on_a_slow_answer_counts_as_slow_and_one_that_just_left_does_not():
    """T13: a timeout of the client's must not hide how slow the arm is."""
    for seconds, slow in ((2.0, True), (0.1, False)):
        world = World(route(BLUNT))
        for number in range(600):
            world.ask(f"user-{number}", error=asyncio.CancelledError(), seconds=seconds)
        tests = world.seen["evidence"]["guardrails"][1]
        assert (tests["treatment"]["mean"] == 1.0) is slow


def test_a_deadline_that_passed_is_a_failure():
    world = World()
    for number in range(30):
        world.ask(f"user-{number}", error=DeadlineExceeded("late"))
    assert world.seen["state"] == "rolled back"


def test_rewards_count_once_for_units_that_were_assigned():
    plan = attrs.evolve(PLAN, goal=Goal("reward", 0.2))
    world = World(route(plan))
    world.ask("user-1")
    assert [world.traffic.reward("m", unit, 1.0) for unit in ("user-1", "user-1", "user-2")] == [True, False, False]
    with pytest.raises(NotFound):
        world.traffic.reward("other", "user-1", 1.0)


@pytest.mark.parametrize("reward", [float("nan"), float("inf"), -1.1e9])
def test_a_reward_that_no_mean_could_hold_is_refused(reward):
    world = World()
    world.ask("user-1")
    with pytest.raises(BadRequest, match="reward: expected a number from"):
        world.traffic.reward("m", "user-1", reward)


@pytest.mark.parametrize("effect", [1e-9, 1e9])
def test_the_largest_rewards_and_the_smallest_effects_are_computed_with(effect):
    world = World(route(attrs.evolve(PLAN, goal=Goal("reward", effect))))
    for number in range(400):
        world.ask(f"user-{number}")
        world.traffic.reward("m", f"user-{number}", (1e9, -1e9, 0.0)[number % 3])
    world.tick()
    assert world.seen["evidence"]["samples_needed"] >= 0


def test_an_experiment_that_cannot_be_judged_keeps_no_other_from_being_judged(monkeypatch, caplog):
    other = attrs.evolve(route(attrs.evolve(PLAN, duration_max_seconds=5.0)), name="other")
    world = World(route(), other)
    monkeypatch.setattr(world.traffic.live("m").running, "ticked", lambda now: 1 / 0)
    world.tick(6.0)
    assert world.traffic.experiment("other")["state"] == "inconclusive"
    assert "the experiment e1 of m" in caplog.text


def test_a_better_treatment_is_promoted_by_its_rewards():
    """T15."""
    world = World(route(attrs.evolve(PLAN, goal=Goal("reward", 0.5), promote=True)))
    rng = random.Random(7)
    for number in range(1000):
        arm = world.ask(f"user-{number}")
        world.traffic.reward("m", f"user-{number}", rng.gauss(1.0 if arm == "b" else 0.0, 1.0))
    world.tick()
    assert (world.seen["state"], world.weights) == ("won", {"a": 0, "b": 100, "c": 0})


def test_what_was_decided_is_in_the_journal_and_told(tmp_path):
    journal = Journal(tmp_path / "j.jsonl")
    world = World(journal=journal)
    for number in range(60):
        world.ask(f"user-{number}", error=ModelFailed("no"))
    assert [entry["kind"] for entry in world.seen["entries"]] == ["began", "rolled back"]
    assert world.seen["entries"][1]["weights"] == {"a": 100, "b": 0}
    assert Journal(tmp_path / "j.jsonl").verdict("m", "e1").why == "5 requests of 'b' failed in a row"


def test_an_experiment_that_ended_does_not_begin_again_after_a_restart(tmp_path):
    """T17: the routes still say 50."""
    journal = Journal(tmp_path / "j.jsonl")
    world = World(journal=journal)
    for number in range(60):
        world.ask(f"user-{number}", error=ModelFailed("no"))
    again = World(journal=Journal(tmp_path / "j.jsonl"))
    assert again.weights == {"a": 100, "b": 0, "c": 0}
    assert (again.seen["state"], again.seen["why"]) == ("rolled back", "5 requests of 'b' failed in a row")
    fresh = World(route(attrs.evolve(PLAN, name="e2")), journal=Journal(tmp_path / "j.jsonl"))
    assert (fresh.weights["b"], fresh.seen["state"]) == (50, "collecting")


def test_the_same_experiment_goes_on_when_its_route_is_replaced():
    world = World()
    for number in range(100):
        world.ask(f"user-{number}")
    before = world.seen["units"]
    world.traffic.replace(Routes.of(route(weight=40), Route("other", (Arm("a", "one", weight=100),))))
    assert world.seen["units"] == before
    assert world.weights == {"a": 60, "b": 40, "c": 0}
    for number in range(60):
        world.ask(f"user-{number}", error=ModelFailed("no"))
    assert world.weights["b"] == 0
    world.traffic.replace(Routes.of(route(weight=30)))
    assert world.weights == {"a": 100, "b": 0, "c": 0}


def test_the_plan_of_an_experiment_does_not_change_while_it_runs():
    world = World()
    other = Route("other", (Arm("a", "one", weight=100),))
    with pytest.raises(RouteError, match=r"routes.m.experiment: 'e1' has begun, and its plan does not change"):
        world.traffic.replace(Routes.of(other, route(attrs.evolve(PLAN, alpha=0.2))))
    assert not world.traffic.knows("other")
    world.traffic.replace(Routes.of(other, route(attrs.evolve(PLAN, name="e2", alpha=0.2))))
    assert world.seen["name"] == "e2"


def test_a_step_gives_the_treatment_its_share_of_the_two_arms():
    """H1."""
    world = World(route(attrs.evolve(PLAN, steps=(10, 50), step_seconds=60.0, samples_min=50)))
    assert world.weights == {"a": 90, "b": 10, "c": 0}
    for number in range(1200):
        world.ask(f"user-{number}", seconds=0.0)
    world.tick(61.0)
    assert world.weights == {"a": 50, "b": 50, "c": 0}
    assert world.traffic.live("m").declared == route(
        attrs.evolve(PLAN, steps=(10, 50), step_seconds=60.0, samples_min=50)
    )


def test_a_route_without_an_experiment_has_none():
    world = World(route(None))
    assert world.seen is None
    with pytest.raises(NotFound):
        world.traffic.experiment("other")


async def restarted(world, tmp_path, *routes):
    """Another endpoint with the same journal; its clock begins elsewhere."""
    await world.traffic.save()
    return World(*routes, journal=Journal(tmp_path / "j"), began=5.0)


@pytest.mark.realtime
async def test_the_counts_of_one_that_runs_outlive_the_endpoint(tmp_path):
    world = World(journal=Journal(tmp_path / "j"))
    for number in range(60):
        world.ask(f"user-{number}")
    world.tick(100.0)
    again = await restarted(world, tmp_path)
    assert {**again.seen, "entries": 0} == {**world.seen, "entries": 0}
    assert [entry["kind"] for entry in again.seen["entries"]] == ["began"]
    for number in range(70):
        again.ask(f"user-{number}")
    assert sum(again.seen["units"].values()) == 70
    assert again.traffic.reward("m", "user-3", 1.0)


@pytest.mark.realtime
async def test_a_step_that_was_taken_is_not_taken_back_by_a_restart(tmp_path):
    """H1: the declared weights are those of the beginning."""
    plan = attrs.evolve(PLAN, steps=(10, 30, 100), step_seconds=10.0, samples_min=50)
    world = World(route(plan), journal=Journal(tmp_path / "j"))
    assert world.weights == {"a": 90, "b": 10, "c": 0}
    number = 0
    while world.weights["b"] == 10:
        number += 1
        world.ask(f"user-{number}")
        world.tick(0.5)
    again = await restarted(world, tmp_path, route(plan))
    assert again.weights == world.weights == {"a": 70, "b": 30, "c": 0}


@pytest.mark.realtime
async def test_another_plan_begins_anew_and_one_that_has_ended_stays_ended(tmp_path):
    world = World(journal=Journal(tmp_path / "j"))
    for number in range(60):
        world.ask(f"user-{number}")
    other = route(attrs.evolve(PLAN, slow_seconds=2.0))
    assert (await restarted(world, tmp_path, other)).seen["units"] == {"a": 0, "b": 0}
    asked = 0
    await world.traffic.save()
    while world.seen["state"] == "collecting":
        world.ask(f"late-{asked}", error=ModelFailed("no"))
        asked += 1
    # A crash: the counts on disk are those before the verdict.
    again = World(journal=Journal(tmp_path / "j"))
    assert again.seen["state"] == "rolled back"
    assert again.weights == {"a": 100, "b": 0, "c": 0}


@pytest.mark.realtime
async def test_counts_of_a_route_that_is_not_there_yet_are_kept_until_it_is(tmp_path):
    world = World(journal=Journal(tmp_path / "j"))
    for number in range(60):
        world.ask(f"user-{number}")
    between = await restarted(world, tmp_path, attrs.evolve(route(None), name="other"))
    again = await restarted(between, tmp_path)
    assert sum(again.seen["units"].values()) == 60


DRIFT = attrs.evolve(PLAN, goal=Goal("reward", 0.1), guardrails=(Guardrail("drift", 0.25),))


def drift_of(world):
    labels = {"route": "m", "arm": "b"}
    return world.traffic.metrics.registry.get_sample_value("windlass_serving_arm_prediction_drift", labels)


def predict(world, units, *, error=None):
    """Each unit is answered by its arm's model, and rejected afterwards if there is an error."""
    for unit in units:
        suppressed = contextlib.suppress(*((type(error),) if error else ()))
        with suppressed, world.traffic.pick("m", None, {"X-Experiment-Key": f"user-{unit}"}) as picked:
            inputs = {"x": np.array([2.5])}
            picked.answered(inputs, picked.model.model.predict(inputs))
            if error is not None:
                raise error


def test_a_model_that_predicts_something_else_is_taken_out_and_its_drift_is_a_metric():
    """T13, T17: at the next tick."""
    world = World(route(DRIFT))
    predict(world, range(200))
    assert drift_of(world) is None  # too few are no good news (T16)
    predict(world, range(200, 700))
    assert drift_of(world) > 0.25
    world.tick()
    assert world.weights == {"a": 100, "b": 0, "c": 0}
    assert world.seen["why"].startswith("guardrail drift: an index of ")
    world.traffic.replace(Routes.of(route(None)))
    assert drift_of(world) is None


def test_a_model_that_predicts_the_same_does_not_drift():
    """T13."""
    world = World(route(DRIFT))
    world.repository.add("two", LinearModel())
    predict(world, range(700))
    world.tick()
    assert (world.seen["state"], drift_of(world)) == ("collecting", 0.0)


def test_an_answer_that_never_reached_the_client_predicts_nothing():
    """T13: what the protocol could not carry is a failure, and that alone."""
    world = World(route(attrs.evolve(DRIFT, fuse=Fuse(10**9, 1.0))))
    predict(world, range(700), error=ModelFailed("no"))
    assert world.seen["evidence"]["guardrails"][0]["treatment"]["samples"] == 0


@pytest.mark.parametrize("plan", [PLAN, None], ids=["of something else", "none"])
def test_predictions_that_nobody_watches_are_not_looked_at(plan):
    """T13: off by default."""
    world = World(route(plan))
    for number in range(50):
        with world.traffic.pick("m", None, {"X-Experiment-Key": f"user-{number}"}) as picked:
            picked.answered({}, {})  # has no output to look at


@pytest.mark.realtime
async def test_drift_outlives_a_restart(tmp_path):
    """T13."""
    world = World(route(DRIFT), journal=Journal(tmp_path / "j"))
    predict(world, range(700))
    again = await restarted(world, tmp_path, route(DRIFT))
    assert drift_of(again) == drift_of(world) > 0.25
