"""The numbers that the scale subresource reads; that a real server judges them so is told in test_realistic_kinds."""

import pytest

from windlass.envtest.apiserver.kinds import Scale
from windlass.envtest.apiserver.schema.replicas import replicas_faults

SCALE = Scale(".spec.replicas", ".status.replicas")


@pytest.mark.parametrize("value", [0, 3, 2**31 - 1, None, "text"])
def test_integers_from_0_are_right_and_other_types_are_for_the_schema(value):
    assert replicas_faults({"spec": {"replicas": value}}, SCALE) == []


@pytest.mark.parametrize("value", [-1, 2**31, 3.0])
def test_other_numbers_are_wrong_and_named(value):
    (fault,) = replicas_faults({"spec": {"replicas": value}, "status": {"replicas": 1}}, SCALE)

    assert fault.field == ".spec.replicas"


def test_without_a_scale_or_a_field_there_is_nothing_to_judge():
    assert replicas_faults({"spec": {"replicas": -1}}, None) == []
    assert replicas_faults({"spec": []}, SCALE) == []
