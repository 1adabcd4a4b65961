"""What an experiment decides: by the pure step, without a clock."""

import math
import random
from collections import Counter

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from seeds import announced_seed

from windlass.serving.experiments.decision import (
    Answered,
    Assigned,
    Report,
    Rewarded,
    Reweighted,
    SetWeights,
    Ticked,
    Verdict,
    begin,
    step,
)
from windlass.serving.experiments.evidence import measure
from windlass.serving.experiments.plan import Experiment, Fuse, Goal, Guardrail

BLUNT = Fuse(consecutive=10**9, rate=1.0)
ERRORS = Experiment("e", "a", "b", goal=Goal("errors", 0.02), fuse=BLUNT)
GUARDED = attrs.evolve(ERRORS, goal=Goal("reward", 0.1))
REWARDS = Experiment("e", "a", "b", goal=Goal("reward", 0.1), guardrails=(), fuse=BLUNT)


class World:
    """An experiment and what it asked for."""

    def __init__(self, plan, weights=(50, 50)):
        self.plan = plan
        self.now = 0.0
        self.state, self.effects = begin(plan, weights=weights, now=self.now)

    def event(self, event):
        self.state, effects = step(self.plan, self.state, event, self.now)
        self.effects += effects

    def unit(self, treatment, *, failed=False, slow=False, reward=None):
        self.event(Assigned(treatment))
        self.event(Answered(treatment, failed=failed, slow=slow, first=True))
        if reward is not None:
            self.event(Rewarded(treatment, reward))

    def units(self, rates, count, *, rng, share=0.5):
        """So many units, a tick after every tenth, until there is a verdict."""
        for number in range(count):
            treatment = rng.random() < share
            self.unit(treatment, failed=rng.random() < rates[treatment])
            if number % 10 == 9:
                self.tick(1.0)
            if self.state.verdict is not None:
                return

    def tick(self, seconds):
        self.now += seconds
        self.event(Ticked())

    @property
    def kinds(self):
        return [effect.kind for effect in self.effects if isinstance(effect, Report)]

    @property
    def weights(self):
        return [(effect.control, effect.treatment) for effect in self.effects if isinstance(effect, SetWeights)]


@pytest.fixture
def rng():
    return random.Random(announced_seed())


def test_too_few_samples_are_neither_pass_nor_fail():
    """H2, T16: nothing is decided on 99 in each arm, however bad they are; how many would be needed is told."""
    world = World(GUARDED)
    for _ in range(99):
        world.unit(True, failed=True)
        world.unit(False)
    world.tick(1.0)
    assert world.state.verdict is None
    assert measure(ERRORS, world.state).samples_needed is None
    world.unit(True, failed=True)
    world.unit(False)
    assert measure(ERRORS, world.state).samples_needed > 100  # by the power calculation, for an effect of 0.02
    world.tick(1.0)
    assert world.state.verdict is Verdict.ROLLED_BACK


def test_no_data_at_all_is_inconclusive_and_the_control_keeps_the_traffic():
    """H1, T15, T16."""
    world = World(attrs.evolve(ERRORS, duration_max_seconds=3600.0), weights=(60, 20))
    world.tick(3599.0)
    assert world.state.verdict is None
    world.tick(1.0)
    assert (world.state.verdict, world.weights) == (Verdict.INCONCLUSIVE, [(80, 0)])
    assert world.kinds == ["began", "inconclusive"]


def test_a_breach_of_a_guardrail_rolls_back_with_its_evidence(rng):
    """H1, T13, T17."""
    world = World(GUARDED, weights=(45, 45))
    world.units((0.01, 0.15), 20_000, rng=rng)
    assert (world.state.verdict, world.weights) == (Verdict.ROLLED_BACK, [(90, 0)])
    report = world.effects[-2]
    assert report.kind == "rolled back"
    assert report.why.startswith("guardrail errors: 0.")
    (guardrail,) = report.evidence["guardrails"]
    assert guardrail["p"] <= guardrail["p_needed"] == pytest.approx(0.05)
    assert guardrail["treatment"]["samples"] == world.state.treatment.samples


@pytest.mark.parametrize("failures", [4, 5])
def test_the_fuse_blows_at_the_fifth_failure_in_a_row_without_waiting_for_time_or_samples(failures):
    """T15: a repeated unit blows it, too."""
    world = World(attrs.evolve(ERRORS, fuse=Fuse()))
    for number in range(failures):
        world.event(Answered(True, failed=True, slow=False, first=number == 0))
    world.event(Answered(True, failed=False, slow=False, first=False))
    assert (world.state.verdict is Verdict.ROLLED_BACK) is (failures == 5)
    assert world.state.why == ("5 requests of 'b' failed in a row" if failures == 5 else "")


@pytest.mark.parametrize(("failed", "verdict"), [(10, None), (11, Verdict.ROLLED_BACK)])
def test_the_fuse_blows_when_more_than_a_fifth_of_fifty_failed(failed, verdict):
    """T15."""
    world = World(attrs.evolve(ERRORS, fuse=Fuse()))
    pattern = [True] * failed + [False] * (50 - failed)
    for number in range(50):
        world.event(Answered(True, failed=pattern[number * 7 % 50], slow=False, first=False))
    assert world.state.verdict is verdict


def test_failures_of_the_control_blow_no_fuse():
    world = World(attrs.evolve(ERRORS, fuse=Fuse()))
    for _ in range(100):
        world.event(Answered(False, failed=True, slow=False, first=True))
    assert world.state.verdict is None


def test_slow_answers_are_a_guardrail_like_errors(rng):
    """T13: the share of answers beyond the limit."""
    plan = attrs.evolve(ERRORS, guardrails=(Guardrail("errors"), Guardrail("slow")))
    world = World(plan)
    for number in range(4000):
        treatment = bool(number % 2)
        world.unit(treatment, slow=rng.random() < (0.2 if treatment else 0.01))
        if number % 100 == 0:
            world.tick(1.0)
    assert world.state.why.startswith("guardrail slow: ")
    limits = [test.limit for test in measure(plan, world.state).guardrails]
    assert limits == pytest.approx([math.log(40)] * 2)  # T18


def test_a_guardrail_tolerates_what_it_was_told_to(rng):
    plan = attrs.evolve(ERRORS, guardrails=(Guardrail("errors", tolerance=0.2),), goal=Goal("reward", 0.1))
    world = World(plan)
    world.units((0.01, 0.1), 4000, rng=rng)
    assert world.state.verdict is None


def test_a_better_treatment_wins_and_weights_stay_unless_promotion_was_asked_for(rng):
    """T15, H1."""
    for promote, weights in ((False, []), (True, [(0, 100)])):
        world = World(attrs.evolve(REWARDS, promote=promote))
        for number in range(3000):
            treatment = bool(number % 2)
            world.unit(treatment, reward=rng.gauss(0.3 if treatment else 0.0, 1.0))
            if number % 50 == 49:
                world.tick(1.0)
        assert (world.state.verdict, world.weights) == (Verdict.WON, weights)


def test_a_worse_treatment_loses_and_gets_nothing(rng):
    world = World(REWARDS)
    for number in range(3000):
        treatment = bool(number % 2)
        world.unit(treatment, reward=rng.gauss(-0.3 if treatment else 0.0, 1.0))
        if number % 50 == 49:
            world.tick(1.0)
    assert (world.state.verdict, world.weights) == (Verdict.LOST, [(100, 0)])


def test_no_worse_by_more_than_a_margin_is_enough_where_that_is_the_goal(rng):
    """T15: non-inferiority; equal arms."""
    plan = attrs.evolve(ERRORS, goal=Goal("errors", 0.02, margin=0.05), guardrails=())
    world = World(plan)
    world.units((0.02, 0.02), 6000, rng=rng)
    assert world.state.verdict is Verdict.WON
    assert World(attrs.evolve(plan, goal=Goal("errors", 0.02))).state.verdict is None


def test_the_goal_waits_for_its_least_time(rng):
    """T15."""
    world = World(attrs.evolve(REWARDS, duration_min_seconds=1000.0))
    for number in range(2000):
        world.unit(bool(number % 2), reward=rng.gauss(float(number % 2), 1.0))
    world.tick(999.0)
    assert world.state.verdict is None
    world.tick(1.0)
    assert world.state.verdict is Verdict.WON


def test_a_split_that_the_weights_do_not_explain_makes_it_invalid():
    """T5, H4: however good the treatment looks."""
    world = World(REWARDS)
    for number in range(2000):
        world.unit(number % 5 < 2, reward=float(number % 5 < 2) + number % 3)
    world.tick(1.0)
    assert (world.state.verdict, world.weights) == (Verdict.INVALID, [(100, 0)])
    assert world.state.why.startswith("800 of 2000 units got the treatment, which its weight does not explain (p = ")


def test_units_counted_under_other_weights_are_held_against_those():
    """T5: 10 % first, then 50 %: neither part is out of the ordinary, taken together they would be."""
    world = World(REWARDS, weights=(90, 10))
    for number in range(2000):
        world.unit(number % 10 == 0)
    world.event(Reweighted(50, 50))
    for number in range(2000):
        world.unit(number % 2 == 0)
    world.tick(1.0)
    assert world.state.verdict is None
    assert world.kinds == ["began", "reweighted"]


STEPPED = attrs.evolve(GUARDED, steps=(5, 25, 50), step_seconds=60.0, samples_min=50)


def test_steps_are_taken_one_at_a_time_and_wait_for_time_and_samples():
    """H1."""
    world = World(STEPPED, weights=(80, 20))
    assert world.weights == [(95, 5)]
    world.tick(1000.0)
    assert world.weights == [(95, 5)]  # no samples
    for number in range(2000):
        world.unit(number % 20 == 0, failed=number % 51 == 0)
    world.tick(60.0)
    assert world.weights == [(95, 5), (75, 25)]
    world.tick(59.0)
    assert len(world.weights) == 2
    world.tick(1.0)
    assert world.weights == [(95, 5), (75, 25), (50, 50)]
    world.tick(1000.0)
    assert len(world.weights) == 3
    assert world.kinds == ["began", "step", "step"]


def test_a_guardrail_that_looks_bad_holds_the_steps_until_it_looks_well_again():
    """Hysteresis: between the two bounds it stays as it is, whichever that was."""
    world = World(STEPPED, weights=(50, 50))
    limit = measure(STEPPED, world.state).guardrails[0].limit

    def looks(share):
        """Errors of the treatment that give this share of the evidence needed."""
        tally = world.state.control
        for errors in range(400):
            treatment = attrs.evolve(tally, units=1000, samples=1000, errors=errors)
            control = attrs.evolve(tally, units=19_000, samples=19_000, errors=190)
            state = attrs.evolve(world.state, treatment=treatment, control=control)
            if measure(STEPPED, state).guardrails[0].log_e >= share * limit:
                world.state = state
                return
        raise AssertionError("no number of errors does")

    for share, holding in ((0.3, False), (0.55, True), (0.3, True), (-2.0, False), (0.3, False)):
        looks(share)
        world.tick(100.0)
        assert world.state.holding is holding, share
    assert world.kinds == ["began", "step", "holding", "resumed", "step"]


def test_somebody_elses_weights_keep_the_step():
    world = World(STEPPED, weights=(100, 0))
    world.event(Reweighted(40, 40))
    assert world.weights == [(95, 5), (76, 4)]
    assert world.state.weights == (76, 4)


def test_after_the_end_nothing_changes_it(rng):
    world = World(ERRORS)
    world.units((0.0, 0.5), 2000, rng=rng)
    ended, effects = world.state, list(world.effects)
    for event in (Ticked(), Assigned(True), Answered(True, True, True, True), Rewarded(False, 1.0), Reweighted(1, 99)):
        world.event(event)
    assert (world.state, world.effects) == (ended, effects)


EVENTS = st.one_of(
    st.builds(Assigned, st.booleans()),
    st.builds(Answered, st.booleans(), failed=st.booleans(), slow=st.booleans(), first=st.booleans()),
    st.builds(Rewarded, st.booleans(), st.floats(-1e6, 1e6)),
    st.builds(Reweighted, st.integers(0, 100), st.integers(0, 100)),
    st.just(Ticked()),
)


@given(st.lists(EVENTS, max_size=200), st.sampled_from([ERRORS, REWARDS, STEPPED, attrs.evolve(STEPPED, promote=True)]))
def test_whatever_happens_no_weight_is_lost_and_it_ends_at_most_once(events, plan):
    """T9, H1."""
    world = World(plan)
    for event in events:
        before = sum(world.state.weights)
        world.event(event)
        world.now += 10.0
        if not isinstance(event, Reweighted):
            assert sum(world.state.weights) == before
        assert min(world.state.weights) >= 0
    assert sum(kind in set(Verdict) for kind in world.kinds) == (world.state.verdict is not None)


def test_of_many_experiments_on_equal_arms_few_promote_and_few_alarm(rng):
    """H3, T14: the whole machine, 40 experiments of 1 000 units at 50/50 with 2 % errors, one guardrail.

    More than 11 false ends of a kind have a chance below 1e-6 even if the tests used all of their alpha of 5 %.
    """
    ended = Counter()
    for _ in range(40):
        world = World(ERRORS)
        world.units((0.02, 0.02), 1000, rng=rng)
        ended[world.state.verdict] += 1
    assert ended[Verdict.WON] <= 11
    assert ended[Verdict.LOST] + ended[Verdict.ROLLED_BACK] <= 11
    assert ended[Verdict.INVALID] == 0


DRIFT = attrs.evolve(ERRORS, goal=Goal("reward", 0.1), guardrails=(Guardrail("drift", tolerance=0.25),))


def predicting(plan, count, draw, *, rng, ticks=100, reward=lambda _treatment: None):
    """Units in turn, answered what `draw` says of the arm."""
    world = World(plan)
    for number in range(count):
        treatment = bool(number % 2)
        world.event(Assigned(treatment))
        world.event(Answered(treatment, failed=False, slow=False, first=True, prediction=draw(treatment)))
        if (value := reward(treatment)) is not None:
            world.event(Rewarded(treatment, value))
        if number % ticks == ticks - 1:
            world.tick(1.0)
    return world


def test_predictions_that_drift_too_far_from_the_controls_roll_back(rng):
    """T13, T17: nothing failed, nothing was slow, and all the same it predicts something else."""
    world = predicting(DRIFT, 4000, lambda treatment: rng.gauss(1.0 * treatment, 1.0), rng=rng)
    assert (world.state.verdict, world.weights) == (Verdict.ROLLED_BACK, [(100, 0)])
    assert world.state.why.startswith("guardrail drift: an index of ")
    (guardrail,) = world.effects[-2].evidence["guardrails"]
    assert guardrail["treatment"]["mean"] > 0.25
    assert guardrail["p"] <= guardrail["p_needed"]


@pytest.mark.parametrize(("shift", "tolerance"), [(0.0, 0.1), (1.0, 3.0)], ids=["none", "tolerated"])
def test_predictions_that_drift_no_further_than_tolerated_change_nothing(rng, shift, tolerance):
    """T13: by the index, however sure the difference is."""
    plan = attrs.evolve(DRIFT, alpha=1e-9, guardrails=(Guardrail("drift", tolerance),))
    world = predicting(plan, 4000, lambda treatment: rng.gauss(shift * treatment, 1.0), rng=rng)
    assert world.state.verdict is None
    assert min(measure(plan, world.state).guardrails[0].samples) > 1000


def test_repeated_requests_of_a_unit_do_not_drift():
    """H5: who asks often does not count more often."""
    world = World(DRIFT)
    for number in range(1000):
        world.event(Answered(bool(number % 2), failed=False, slow=False, first=False, prediction=float(number % 2)))
    assert measure(DRIFT, world.state).guardrails[0].samples == (0, 0)


@pytest.mark.parametrize(("prediction", "verdict"), [(None, None), (1.0, Verdict.WON)], ids=["unknown", "known"])
def test_nothing_is_won_while_too_few_predictions_are_known(rng, prediction, verdict):
    """T13, T16: a model whose answers are text is not to win past a guardrail that saw none of them."""
    world = predicting(DRIFT, 2000, lambda _: prediction, rng=rng, reward=lambda treatment: rng.gauss(treatment, 0.5))
    assert world.state.verdict is verdict


@pytest.mark.parametrize(("prediction", "steps"), [(None, 0), (1.0, 1)], ids=["unknown", "known"])
def test_no_step_is_taken_while_too_few_predictions_are_known(rng, prediction, steps):
    """H1, T13, T16."""
    plan = attrs.evolve(DRIFT, steps=(50, 100), step_seconds=1.0)
    assert predicting(plan, 2000, lambda _: prediction, rng=rng).kinds.count("step") == steps
