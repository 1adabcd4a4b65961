"""The gate opens for one reason and stays shut for every other (B1)."""

import itertools

import attrs
import pytest

from windlass.operators.training.gate.types import CheckSpec, CheckStatus, GateSpec, GateStatus
from windlass.operators.training.gate.verdict import admits, blocks, fault_of, judge

MODEL = "a" * 64
OUTCOMES = ("Passed", "Failed", "Error", "Skipped")


def check(name, *, required=True):
    return CheckSpec(name, "fgsm", required)


def result(name, outcome="Passed", *, required=True, **more):
    return CheckStatus(name, "fgsm", required, outcome, "Reason", "message", samples=9, **more)


@pytest.mark.parametrize("outcomes", list(itertools.product(OUTCOMES, OUTCOMES)), ids="-".join)
@pytest.mark.parametrize("required", [(True, True), (True, False), (False, True)], ids=str)
def test_it_opens_exactly_if_every_required_check_passed(outcomes, required):
    gate = GateSpec(tuple(check(name, required=one) for name, one in zip("ab", required, strict=True)))
    results = [
        result(*pair, required=one) for pair, one in zip(zip("ab", outcomes, strict=True), required, strict=True)
    ]

    found = judge(gate, results, model_sha256=MODEL)

    assert found.passed == all(outcome == "Passed" for outcome, one in zip(outcomes, required, strict=True) if one)
    assert found.checks == tuple(results)
    assert admits(found, MODEL) == found.passed


@pytest.mark.parametrize(
    ("gate", "fault"),
    [
        (GateSpec(), "expected at least one check, found none"),
        (GateSpec((check("a", required=False),)), "expected at least one required check, found none"),
        (GateSpec((check("a"), check("b"), check("a"))), "expected each name once, found 'a' 2 times"),
        (GateSpec(tuple(check(f"c{index}") for index in range(33))), "expected at most 32 checks, found 33"),
    ],
    ids=["empty", "nothing required", "a name twice", "too many"],
)
def test_a_gate_that_asks_for_nothing_or_for_nonsense_stays_shut(gate, fault):
    """B1: an empty list blocks."""
    found = judge(gate, [result(one.name) for one in gate.checks], model_sha256=MODEL)

    assert fault in fault_of(gate)
    assert (found.passed, found.reason) == (False, "GateInvalid")
    assert fault in found.message


@pytest.mark.parametrize(
    "results",
    [
        [],
        [result("a")],
        [result("a"), result("b"), result("b")],
        [result("a"), attrs.evolve(result("b"), check="drift")],
        [result("a"), result("c")],
    ],
    ids=["none at all", "one is missing", "one is there twice", "another check's", "another name's"],
)
def test_a_required_check_without_its_one_result_blocks(results):
    found = judge(GateSpec((check("a"), check("b"))), results, model_sha256=MODEL)

    assert not found.passed
    assert "b: " in found.message


@pytest.mark.parametrize("number", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("field", ["statistic", "threshold"])
def test_a_pass_whose_numbers_are_none_blocks(field, number):
    """B1: NaN."""
    found = result("a", **{field: number})

    assert blocks(found)
    assert not judge(GateSpec((check("a"),)), [found], model_sha256=MODEL).passed


def test_a_measured_no_names_the_verdict_before_what_could_not_be_told():
    gate = GateSpec((check("a"), check("b")))

    assert judge(gate, [result("a", "Error"), result("b", "Failed")], model_sha256=MODEL).reason == "CheckFailed"
    assert judge(gate, [result("a", "Error"), result("b")], model_sha256=MODEL).reason == "CheckUnanswered"


def test_a_verdict_is_about_one_model_alone():
    """A14: promotion requires a pass for this digest; training again makes another."""
    passed = judge(GateSpec((check("a"),)), [result("a")], model_sha256=MODEL)

    assert admits(passed, MODEL)
    assert not admits(passed, "b" * 64)
    assert not admits(None, MODEL)
    assert not admits(GateStatus("", passed=True, reason="", message=""), "")
    assert not judge(GateSpec((check("a"),)), [result("a")], model_sha256="").passed


def test_a_long_list_of_faults_is_cut():
    gate = GateSpec(tuple(check(f"c{index}") for index in range(9)))

    found = judge(gate, [result(one.name, "Failed") for one in gate.checks], model_sha256=MODEL)

    assert found.message.endswith("; and 4 more")
