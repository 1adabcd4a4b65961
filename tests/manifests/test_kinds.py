"""A decorated class is a kind, or the import fails; ids as in the reference (R-*)."""

from typing import Any

import attrs
import pytest

from windlass.informers.resources import Resource, resource_of
from windlass.informers.typed import CustomResource
from windlass.manifests import Column, InvalidKind, ManifestsError, Rule, info_of, kind, marked, schema_of
from windlass.statemachine import Condition, WindlassError


@attrs.frozen
class Spec:
    replicas: int = 1
    labels: dict[str, str] = attrs.Factory(dict)
    extra: Any = None


@attrs.frozen
class Status:
    phase: str = "Pending"
    conditions: tuple[Condition, ...] = ()


def declare(group_version="example.com/v1", name="Widget", **options):
    fields = {"spec": attrs.field(type=Spec, default=Spec()), "status": attrs.field(type=Status, default=Status())}
    cls = attrs.make_class(name, fields, bases=(CustomResource,), frozen=True, kw_only=True)
    return kind(group_version, **options)(cls)


def refusal(*arguments, **options):
    with pytest.raises(InvalidKind) as caught:
        declare(*arguments, **options)
    return caught.value


def test_a_kind_is_named_after_its_class():
    widget = declare()

    assert resource_of(widget) == Resource("example.com", "v1", "Widget", "widgets", namespaced=True)
    info = info_of(widget)
    assert (info.singular, info.list_kind, info.crd_name) == ("widget", "WidgetList", "widgets.example.com")
    assert info.has_status
    assert info.columns == ()


def test_every_name_can_be_chosen():
    widget = declare(
        plural="wijits",
        singular="wijit",
        short_names=["wj"],
        categories=("all",),
        scope="Cluster",
        columns=[Column("P", ".spec")],
    )

    info = info_of(widget)
    assert info.resource == Resource("example.com", "v1", "Widget", "wijits", namespaced=False)
    assert (info.singular, info.short_names, info.categories, info.scope) == ("wijit", ("wj",), ("all",), "Cluster")
    assert info.columns == (Column("P", ".spec"),)


@pytest.mark.parametrize(
    ("name", "plural"),
    [
        ("Database", "databases"),
        ("Policy", "policies"),
        ("Gateway", "gateways"),
        ("Ingress", "ingresses"),
        ("Box", "boxes"),
        ("Batch", "batches"),
        ("Mesh", "meshes"),
    ],
)
def test_plurals_are_english(name, plural):
    assert info_of(declare(name=name)).resource.plural == plural


def test_a_kind_without_status_says_so():
    @kind("example.com/v1")
    @attrs.frozen
    class Note(CustomResource):
        text: str = ""

    assert not info_of(Note).has_status


def test_instances_are_made_and_compared_as_before():
    widget = declare()

    assert widget(spec=Spec(2)) == widget(spec=Spec(2))
    assert widget().status.phase == "Pending"


@pytest.mark.parametrize("group_version", ["example.com", "example.com/v1/x", "", "v1"])
def test_r01_group_and_version_are_two_parts(group_version):
    assert refusal(group_version).expected == "'group/version'"


@pytest.mark.parametrize("group", ["example", "Example.com", "-a.com", "a..com", "a_b.com", "", f"{'a' * 250}.com"])
def test_r01_the_group_is_a_dns_name_with_a_dot(group):
    assert refusal(f"{group}/v1").rule == "the group (R-01)"


@pytest.mark.parametrize("group", ["k8s.io", "apps.k8s.io", "x.kubernetes.io", "kubernetes.io"])
def test_r10_the_groups_of_kubernetes_itself_are_refused(group):
    assert "(R-10)" in refusal(f"{group}/v1").rule


def test_r10_a_group_that_only_ends_alike_is_fine():
    assert declare("myk8s.io/v1")


@pytest.mark.parametrize("version", ["V1", "1", "v1.0", "", "v_1"])
def test_r02_the_version_is_a_dns_label(version):
    assert refusal(f"example.com/{version}").rule == "the version (R-02)"


@pytest.mark.parametrize("version", ["v1", "v1alpha1", "v2beta3", "stable"])
def test_r02_any_label_is_a_version(version):
    assert resource_of(declare(f"example.com/{version}")).version == version


@pytest.mark.parametrize(
    ("options", "rule"),
    [
        ({"plural": "Widgets"}, "the plural (R-01)"),
        ({"plural": "w" * 64}, "the plural (R-01)"),
        ({"singular": "a widget"}, "the singular (R-01)"),
        ({"short_names": ["W"]}, "the short name (R-01)"),
        ({"short_names": [""]}, "the short name (R-01)"),
        ({"categories": ["1st"]}, "the category (R-01)"),
        ({"scope": "namespaced"}, "the scope"),
        ({"name": "widget"}, "the kind (R-01)"),
        ({"name": "My_Widget"}, "the kind (R-01)"),
        ({"name": "W" * 62}, "the list kind in lower case (R-01)"),
    ],
    ids=str,
)
def test_r01_a_name_that_no_url_could_hold_is_refused(options, rule):
    refused = refusal(**options)

    assert refused.rule == rule
    assert refused.where == options.get("name", "Widget")


@pytest.mark.parametrize(
    "path",
    [
        ".spec",
        ".spec.replicas",
        ".spec.labels.anything",
        ".spec.extra.any.thing",
        ".metadata.creationTimestamp",
        ".status.phase",
        '.status.conditions[?(@.type=="Ready")].status',
        ".spec.labels['a.b/c']",
    ],
)
def test_r06_a_column_shows_what_the_schema_has(path):
    assert info_of(declare(columns=[Column("A", path)])).columns[0].json_path == path


@pytest.mark.parametrize(
    ("column", "rule", "expected"),
    [
        (Column(" ", ".spec"), "the name", "a heading"),
        (Column("A", "spec.replicas"), "the path", "starts with a field"),
        (Column("A", ""), "the path", "starts with a field"),
        (Column("A", ".spec.replica"), "the path", "a field out of extra, labels, replicas"),
        (Column("A", ".status.condition[0]"), "the path", "a field out of conditions, phase"),
        (Column("A", ".spec", type="int"), "the type", "string, integer, number, boolean, date"),
        (Column("A", ".spec", format="uuid"), "the format", "int32"),
        (Column("A", ".spec", priority=-1), "the priority", "from 0 up"),
        (Column("A", ".spec", priority=True), "the priority", "from 0 up"),
    ],
    ids=str,
)
def test_r06_a_column_that_could_show_nothing_is_refused(column, rule, expected):
    refused = refusal(columns=[column])

    assert refused.where == f"Widget column {column.name!r}"
    assert refused.rule == f"{rule} of a column (R-06)"
    assert expected in refused.expected


def test_a_class_without_metadata_is_refused():
    with pytest.raises(InvalidKind, match="one derived from windlass"):
        kind("example.com/v1")(Spec)


def test_a_class_that_attrs_has_not_seen_is_refused():
    with pytest.raises(InvalidKind, match=r"expected @attrs\.frozen below @kind"):

        @kind("example.com/v1")
        class Plain(CustomResource):
            text: str = ""


def test_a_subclass_is_no_kind_until_it_is_decorated_itself():
    class Derived(declare()):
        pass

    with pytest.raises(InvalidKind, match="a kind is registered"):
        info_of(Derived)


def test_a_schema_that_breaks_a_rule_fails_the_decorator():
    with pytest.raises(InvalidKind, match=r"^Broken\.size: a type that JSON can hold: found complex"):

        @kind("example.com/v1")
        @attrs.frozen
        class Broken(CustomResource):
            size: complex = 1j


def test_refusals_belong_to_our_family():
    refused = refusal("example")

    assert isinstance(refused, ManifestsError)
    assert isinstance(refused, WindlassError)


@pytest.mark.parametrize("warning", ["two\nlines", "x" * 257, "bell\a"])
def test_r08_a_deprecation_warning_is_one_short_line(warning):
    with pytest.raises(InvalidKind, match=r"\(R-08\)"):
        kind("example.com/v1", deprecated=warning)(attrs.make_class("Old", {}, bases=(CustomResource,), frozen=True))


def test_a_kind_may_be_called_otherwise_than_its_class():
    old = kind("example.com/v1", name="Thing")(attrs.make_class("OldThing", {}, bases=(CustomResource,), frozen=True))

    assert (info_of(old).resource.kind, info_of(old).resource.plural, info_of(old).list_kind) == (
        "Thing",
        "things",
        "ThingList",
    )


def test_l01_the_field_path_of_a_rule_leads_to_a_field():
    ruled = marked(Rule("true", field_path=".nowhere"))(attrs.make_class("Part", {"a": attrs.field(type=int)}))

    with pytest.raises(InvalidKind, match=r"begins with one of \.a \(L-01\)"):
        schema_of(ruled)
