"""Which arm a request gets, and why."""

import itertools

import pytest

from windlass.serving.errors import BadRequest
from windlass.serving.traffic.route import Arm, Match, Route, Shadow
from windlass.serving.traffic.router import How, choose, shadows_of

A, B, C = Arm("a", "m", weight=50), Arm("b", "m2", weight=50), Arm("c", "m3", weight=0)


def route(**changes):
    return Route("r", (A, B, C), unit_cookie="uid", **changes)


def asked(headers, *, of=None, ready=lambda arm: True, chance=lambda: "by chance"):
    return choose(of or route(), headers, ready=ready, chance=chance)


@pytest.mark.parametrize(
    ("headers", "unit", "how"),
    [
        ({"X-Experiment-Key": "k", "Cookie": "uid=c", "X-Request-Id": "i"}, "k", How.KEY),
        ({"Cookie": "other=1; uid=c", "X-Request-Id": "i"}, "c", How.KEY),
        ({"Cookie": "other=1", "X-Request-Id": "i"}, "i", How.REQUEST),
        ({"X-Experiment-Key": "", "X-Request-Id": "i"}, "i", How.REQUEST),
        ({"Cookie": "\0;=,"}, "by chance", How.CHANCE),
        ({}, "by chance", How.CHANCE),
    ],
)
def test_the_unit_is_the_header_then_the_cookie_then_the_request_then_chance(headers, unit, how):
    """T6."""
    choice = asked(headers)
    assert (choice.unit, choice.how, choice.counts) == (unit, how, True)


def test_a_cookie_counts_only_where_the_route_names_it():
    """T6."""
    assert asked({"Cookie": "=c"}, of=Route("r", (A, B))).how is How.CHANCE


def test_a_key_keeps_its_arm_and_both_arms_have_keys():
    """H5."""
    arms = [asked({"X-Experiment-Key": f"k{index}"}).arm.name for index in range(40)]
    assert arms == [asked({"X-Experiment-Key": f"k{index}"}).arm.name for index in range(40)]
    assert set(arms) == {"a", "b"}


def test_requests_without_a_key_are_spread_by_chance():
    """T6."""
    numbers = itertools.count()
    arms = [asked({}, chance=lambda: str(next(numbers))).arm.name for _ in range(40)]
    assert set(arms) == {"a", "b"}


def test_a_header_that_matches_decides_before_the_weights_and_does_not_count():
    of = route(matches=(Match("X-Group", "beta", "c"), Match("X-Group", "beta", "a"), Match("X-Other", "1", "b")))
    choice = asked({"X-Group": "beta", "X-Other": "1", "X-Experiment-Key": "k"}, of=of)
    assert (choice.arm, choice.how, choice.counts) == (C, How.MATCHED, False)
    assert asked({"X-Group": "alpha", "X-Experiment-Key": "k"}, of=of).how is How.KEY


def test_a_forced_arm_is_obeyed_only_where_the_route_permits_it_and_does_not_count():
    """T7."""
    headers = {"X-Model-Variant": "c", "X-Experiment-Key": "k"}
    choice = asked(headers, of=route(forced=True))
    assert (choice.arm, choice.how, choice.counts) == (C, How.FORCED, False)
    assert asked(headers).how is How.KEY


def test_a_forced_arm_that_there_is_not_is_refused_with_those_that_there_are():
    """T7."""
    with pytest.raises(BadRequest, match="X-Model-Variant: expected one of a, b, c, found 'z'"):
        asked({"X-Model-Variant": "z"}, of=route(forced=True))


def of_arm(name):
    """Headers of a unit that has this arm."""
    units = ({"X-Experiment-Key": str(number)} for number in itertools.count())
    return next(headers for headers in units if asked(headers).arm.name == name)


def test_the_share_of_an_arm_that_is_not_ready_goes_to_the_stable_one_and_does_not_count():
    """T1."""
    of = route(stable="c")
    choice = asked(of_arm("b"), of=of, ready=lambda arm: arm is not B)
    assert (choice.arm, choice.wanted, choice.counts) == (C, B, False)
    assert asked(of_arm("a"), of=of, ready=lambda arm: arm is not B).counts


def test_without_the_stable_arm_another_answers():
    """T1: never an error while any arm is ready."""
    assert asked(of_arm("b"), ready=lambda arm: arm is C).arm is C


def test_when_no_arm_is_ready_the_choice_is_the_one_that_was_due():
    choice = asked(of_arm("b"), ready=lambda arm: False)
    assert choice.arm is choice.wanted is B


def test_shadows_are_sampled_by_the_unit():
    """T11: the same unit each time, as many units as the percents say, independent of the arm."""
    of = route(shadows=(Shadow("s", "m4", percent=25), Shadow("all", "m5")))
    sampled = [unit for unit in map(str, range(4000)) if "s" in {one.name for one in shadows_of(of, unit)}]
    assert 0.25 - 0.042 < len(sampled) / 4000 < 0.25 + 0.042  # six standard deviations
    assert all("all" in {one.name for one in shadows_of(of, str(number))} for number in range(100))
    of_b = sum(asked({"X-Experiment-Key": unit}).arm is B for unit in sampled) / len(sampled)
    assert 0.4 < of_b < 0.6
