"""What a gate says of itself is known before anything is trained (B1)."""

import pytest

from windlass.operators.errors import CheckError
from windlass.operators.training.gate.acceptance import unusable
from windlass.operators.training.gate.registry import check_registry
from windlass.operators.training.gate.types import CheckSpec, GateSpec

ROBUST = {"epsilon": 1, "maxSuccessRate": 0.2}
TRAINED_WITH = {"epochs": 8, "learningRate": 0.005, "l2": 0}


def gate_of(*checks):
    return GateSpec(tuple(CheckSpec(name, check, required, 60.0, {}) for name, check, required in checks))


def fault_of(gate):
    return unusable(gate, check_registry(discover=lambda: ()), TRAINED_WITH)


def second(check, parameters, *, required=True):
    """A gate whose second check is this one."""
    first = CheckSpec("first", "fgsm", parameters=ROBUST)
    return GateSpec((first, CheckSpec("second", check, required=required, parameters=parameters)))


@pytest.mark.parametrize("gate", [None, gate_of(("a", "non-inferiority", True), ("b", "nosuch", False))])
def test_no_gate_is_usable_and_so_is_one_whose_required_checks_are_known(gate):
    assert fault_of(gate) is None


def test_a_gate_that_could_never_open_is_told_by_its_field():
    assert fault_of(gate_of()).reason == "GateInvalid"
    assert fault_of(gate_of()).message == "spec.gate.checks: expected at least one check, found none"


def test_a_required_check_that_nobody_has_is_told_by_its_place():
    fault = fault_of(gate_of(("a", "non-inferiority", True), ("b", "nosuch", True)))

    assert (fault.reason, fault.retryable) == ("CheckNotFound", False)
    assert fault.message.startswith("spec.gate.checks[1].check: there is no check named 'nosuch'; known checks: ")


@pytest.mark.parametrize(
    ("check", "parameters", "said"),
    [
        ("fgsm", {"epsilon": 1}, "maxSuccessRate: "),
        ("fgsm", {**ROBUST, "epsilon": "much"}, "epsilon: expected"),
        ("fgsm", {**ROBUST, "epsilom": 1}, "epsilom"),
        ("fgsm", {**ROBUST, "low": 2, "high": 1}, "low: expected at most high (1), found 2"),
        ("non-inferiority", {"firstModel": "Maybe"}, "firstModel: expected"),
        ("drift", {"warn": 0.3}, "warn: expected at most fail (0.25), found 0.3"),
        ("sensitivity", {}, "vary: "),
        ("sensitivity", {"vary": ["epochs"], "metricLow": 1}, "metricHigh: expected more than metricLow (1), found 1"),
        ("sensitivity", {"vary": ["learningrate"]}, "vary: expected names of hyperparameters"),
        ("sensitivity", {"vary": ["l2"]}, "vary: expected names of hyperparameters"),
    ],
)
def test_parameters_with_which_a_check_could_never_answer_are_told_by_their_place(check, parameters, said):
    for required in (True, False):
        fault = fault_of(second(check, parameters, required=required))

        assert (fault.reason, fault.retryable) == ("InvalidParameters", False)
        assert fault.message.startswith(f"spec.gate.checks[1].parameters.{said}")


def test_each_of_several_faults_is_told_by_its_whole_path():
    fault = fault_of(second("fgsm", {"epsilon": -1, "maxSuccessRate": 2}))

    assert fault.message.count("spec.gate.checks[1].parameters.") == 2


class Foreign:
    """A check of somebody else, which says this of any parameters."""

    def __init__(self, name, error):
        self.name, self.error = name, error

    def measure(self, subject, parameters, deadline):
        raise AssertionError("not before training")

    def refuse(self, parameters, hyperparameters):
        raise self.error


def test_a_check_of_somebody_else_may_refuse_in_its_own_words_and_its_mistakes_are_named():
    registry = check_registry(discover=lambda: ())
    registry.register("picky", Foreign("picky", CheckError("not on a Friday", reason="Closed")))
    registry.register("clumsy", Foreign("clumsy", KeyError("limit")))

    def said(check, *, required=True):
        return unusable(second(check, {}, required=required), registry, {})

    assert (said("picky").reason, said("picky").message) == (
        "Closed",
        "spec.gate.checks[1].parameters: not on a Friday",
    )
    assert said("clumsy").reason == "CheckBroken"
    assert said("clumsy").message == "spec.gate.checks[1].check: clumsy raised KeyError: 'limit'"
    assert said("clumsy", required=False) is None
