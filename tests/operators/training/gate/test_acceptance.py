"""What a gate says of itself is known before anything is trained (B1)."""

import pytest

from windlass.operators.training.gate.acceptance import unusable
from windlass.operators.training.gate.registry import check_registry
from windlass.operators.training.gate.types import CheckSpec, GateSpec


def gate_of(*checks):
    return GateSpec(tuple(CheckSpec(name, check, required, 60.0, {}) for name, check, required in checks))


@pytest.mark.parametrize("gate", [None, gate_of(("a", "fgsm", True), ("b", "nosuch", False))])
def test_no_gate_is_usable_and_so_is_one_whose_required_checks_are_known(gate):
    assert unusable(gate, check_registry()) is None


def test_a_gate_that_could_never_open_is_told_by_its_field():
    assert unusable(gate_of(), check_registry()).reason == "GateInvalid"
    assert unusable(gate_of(), check_registry()).message == "gate.checks: expected at least one check, found none"


def test_a_required_check_that_nobody_has_is_told_by_its_place():
    fault = unusable(gate_of(("a", "fgsm", True), ("b", "nosuch", True)), check_registry())

    assert (fault.reason, fault.retryable) == ("CheckNotFound", False)
    assert fault.message.startswith("gate.checks[1].check: there is no check named 'nosuch'; known checks: ")
