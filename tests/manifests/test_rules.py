"""Names as CEL spells them; what else is asked of rules is told in test_markers and test_keywords."""

import pytest

from windlass.manifests.rules import cel_name


@pytest.mark.parametrize(
    ("name", "spelled"),
    [
        ("plain", "plain"),
        ("namespace", "__namespace__"),
        ("a-b", "a__dash__b"),
        ("a.b/c", "a__dot__b__slash__c"),
        ("a__b", "a__underscores__b"),
        ("_a_", "_a_"),
    ],
)
def test_l04_a_name_is_escaped_for_cel(name, spelled):
    assert cel_name(name) == spelled
