"""One node beside what it was; the rest is told in test_compatibility."""

import pytest

from windlass.manifests.narrowing import narrowed

INT_OR_STRING = {"x-kubernetes-int-or-string": True, "anyOf": [{"type": "integer"}, {"type": "string"}]}


@pytest.mark.parametrize(
    ("old", "new", "breaking"),
    [
        ({"type": "integer"}, {"type": "number"}, False),
        ({"type": "number"}, {"type": "integer"}, True),
        ({"type": "integer"}, INT_OR_STRING, False),
        ({"type": "string"}, INT_OR_STRING, False),
        (INT_OR_STRING, {"type": "string"}, True),
        ({"type": "object"}, {"x-kubernetes-preserve-unknown-fields": True}, False),
        ({"x-kubernetes-preserve-unknown-fields": True}, {"type": "object"}, True),
    ],
)
def test_a_type_may_become_a_wider_one(old, new, breaking):
    assert [found.breaking for found in narrowed(old, new, "$")] == [breaking]


def test_a_node_that_must_be_a_whole_resource_now_takes_less():
    whole = {"type": "object", "x-kubernetes-embedded-resource": True}

    assert [found.breaking for found in narrowed({"type": "object"}, whole, "$")] == [True]
    assert [found.breaking for found in narrowed(whole, {"type": "object"}, "$")] == [False]
