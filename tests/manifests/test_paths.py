"""Paths of a kind lead to fields that exist, and are of the right type."""

import pytest
from realistic_kinds import DatabaseCluster

from windlass.manifests import Column, InvalidKind, Scale, schema_of
from windlass.manifests.paths import check_column, check_scale, check_selectable, node_at

SCHEMA = schema_of(DatabaseCluster)


@pytest.mark.parametrize(
    ("scale", "said"),
    [
        (Scale(spec_replicas=".status.replicas"), r"under \.spec\."),
        (Scale(status_replicas=".spec.replicas"), r"under \.status\."),
        (Scale(spec_replicas=".spec.version"), "of the type string, expected a field of type integer"),
        (Scale(spec_replicas=".spec.ports[0].target"), "plain fields"),
        (Scale(spec_replicas=".spec.copies"), r"found \.spec\.copies, expected a field out of"),
        (Scale(selector=".status.replicas"), "of type string"),
        (Scale(selector=".metadata.name"), r"under \.spec\. or \.status\."),
    ],
)
def test_r05_a_scale_leads_to_numbers(scale, said):
    check_scale(Scale(selector=".status.selector"), SCHEMA, "Here")
    with pytest.raises(InvalidKind, match=said) as caught:
        check_scale(scale, SCHEMA, "Here")
    assert "(R-05)" in caught.value.rule


@pytest.mark.parametrize(
    ("paths", "said"),
    [
        ((".spec.storage",), "a string, a boolean or an integer"),
        ((".spec.ports",), "a string, a boolean or an integer"),
        ((".metadata.name",), "outside of metadata"),
        ((".spec.tier", ".spec.tier"), "each once"),
        (tuple(f".spec.f{n}" for n in range(9)), "at most eight"),
        ((".spec.nothing",), "a field out of"),
    ],
)
def test_r07_selectable_fields_are_scalars(paths, said):
    check_selectable((".spec.tier", ".spec.replicas"), SCHEMA, "Here")
    with pytest.raises(InvalidKind, match=said) as caught:
        check_selectable(paths, SCHEMA, "Here")
    assert "(R-07)" in caught.value.rule


def test_where_unknown_fields_are_kept_every_path_may_lead_somewhere():
    assert node_at(".spec.tuning.walLevel", SCHEMA, "Here", rule="a path") == {}
    check_column(Column("WAL", ".spec.tuning.walLevel"), SCHEMA, "Here")
