"""Checks are found by name, and what is wrong with one is said of a check, not of an executor."""

from importlib.metadata import EntryPoint

import pytest

from windlass.controller.errors import BrokenExecutor, DuplicateExecutor, ExecutorNotFound
from windlass.operators.training.gate.registry import BUILT_IN, check_registry

ROOM = "windlass.operators.training.gate.checks"


def point(name, value):
    return EntryPoint(name, value, "windlass.checks")


def test_the_built_in_checks_are_there_without_being_installed():
    registry = check_registry(discover=lambda: ())

    assert registry.names() == ("drift", "fgsm", "non-inferiority", "sensitivity")
    assert [registry.get(one.name) for one in BUILT_IN] == list(BUILT_IN)


def test_being_installed_as_well_is_no_conflict():
    registry = check_registry(discover=lambda: [point("drift", f"{ROOM}.drift:DRIFT")])

    assert registry.get("drift") is BUILT_IN[3]


def test_a_package_can_offer_one_more():
    registry = check_registry(discover=lambda: [point("second", "second_check:CHECK")])

    assert "second" in registry


def test_faults_speak_of_checks():
    registry = check_registry(
        discover=lambda: [
            point("broken", "nosuch_module:CHECK"),
            point("wordless", "windlass.operators.training.gate.types:GateSpec"),
            point("drift", f"{ROOM}.fgsm:FGSM"),
            point("other", f"{ROOM}.fgsm:FGSM"),
        ]
    )

    with pytest.raises(ExecutorNotFound, match="there is no check named 'x'; known checks: broken, drift"):
        registry.get("x")
    with pytest.raises(BrokenExecutor, match="the check 'broken' from nosuch_module:CHECK cannot be used"):
        registry.get("broken")
    with pytest.raises(BrokenExecutor, match="it has no name, measure"):
        registry.get("wordless")
    with pytest.raises(BrokenExecutor, match="it calls itself 'fgsm'"):
        registry.get("other")
    with pytest.raises((DuplicateExecutor, BrokenExecutor), match="check"):
        registry.get("drift")


def test_the_installed_package_offers_each_built_in_check_under_its_name():
    registry = check_registry()

    assert {"drift", "fgsm", "non-inferiority", "sensitivity"} <= set(registry.names())
    assert all(registry.get(one.name) is one for one in BUILT_IN)
