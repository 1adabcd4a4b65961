"""How classes become schemas, and which are refused; ids as in the reference (S-*, R-04, L-*)."""

import random
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from typing import Annotated, Any, Literal, NewType

import attrs
import pytest

from windlass.informers.typed import CustomResource, JsonName, ObjectMeta, Rest
from windlass.manifests import (
    Atomic,
    Description,
    EmbeddedResource,
    Format,
    Immutable,
    IntOrString,
    InvalidKind,
    ListMap,
    ListSet,
    Maximum,
    MaxLength,
    Minimum,
    MinItems,
    MinProperties,
    Nullable,
    Pattern,
    PreserveUnknownFields,
    Rule,
    marked,
    schema_of,
)
from windlass.statemachine import Condition

Anything = {"x-kubernetes-preserve-unknown-fields": True}


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


class Size(IntEnum):
    SMALL = 1
    LARGE = 2


class Mixed(Enum):
    A = "a"
    B = 1


Port = NewType("Port", int)


@attrs.frozen
class Inner:
    """An inner part."""

    name: str
    weight: int = 1


def part(annotation, default=attrs.NOTHING, *, name="field"):
    return attrs.make_class("Part", {name: attrs.field(type=annotation, default=default)}, frozen=True)


def schema_for(annotation, default=attrs.NOTHING):
    return schema_of(part(annotation, default))["properties"]["field"]


def refusal(annotation, default=attrs.NOTHING):
    with pytest.raises(InvalidKind) as caught:
        schema_of(part(annotation, default))
    return caught.value


# --- types ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("annotation", "schema"),
    [
        pytest.param(str, {"type": "string"}, id="str"),
        pytest.param(int, {"type": "integer"}, id="int"),
        pytest.param(float, {"type": "number"}, id="float"),
        pytest.param(bool, {"type": "boolean"}, id="bool"),
        pytest.param(Port, {"type": "integer"}, id="new type"),
        pytest.param(datetime, {"type": "string", "format": "date-time"}, id="datetime"),
        pytest.param(Literal["a", "b"], {"type": "string", "enum": ["a", "b"]}, id="literal"),
        pytest.param(Literal[1, 2], {"type": "integer", "enum": [1, 2]}, id="integer literal"),
        pytest.param(Literal[True], {"type": "boolean", "enum": [True]}, id="boolean literal"),
        pytest.param(Colour, {"type": "string", "enum": ["red", "blue"]}, id="StrEnum"),
        pytest.param(Size, {"type": "integer", "enum": [1, 2]}, id="IntEnum"),
        pytest.param(Any, Anything, id="any"),
        pytest.param(object, Anything, id="object"),
        pytest.param(list[int], {"type": "array", "items": {"type": "integer"}}, id="list"),
        pytest.param(tuple[int, ...], {"type": "array", "items": {"type": "integer"}}, id="tuple"),
        pytest.param(Sequence[int], {"type": "array", "items": {"type": "integer"}}, id="sequence"),
        pytest.param(dict[str, int], {"type": "object", "additionalProperties": {"type": "integer"}}, id="dict"),
        pytest.param(Mapping[str, Any], {"type": "object", "additionalProperties": Anything}, id="mapping"),
        pytest.param(
            tuple[Annotated[str, MaxLength(3)], ...],
            {"type": "array", "items": {"type": "string", "maxLength": 3}},
            id="marked items",
        ),
        pytest.param(
            Inner,
            {
                "type": "object",
                "description": "An inner part.",
                "properties": {"name": {"type": "string"}, "weight": {"type": "integer", "default": 1}},
                "required": ["name"],
            },
            id="class",
        ),
    ],
)
def test_a_type_becomes_its_schema(annotation, schema):
    assert schema_for(annotation) == schema


def test_s14_an_integer_or_string_has_no_type_and_the_one_legal_any_of():
    assert schema_for(Annotated[IntOrString, Pattern("^[0-9]+%?$")]) == {
        "anyOf": [{"type": "integer"}, {"type": "string"}],
        "x-kubernetes-int-or-string": True,
        "pattern": "^[0-9]+%?$",
    }


def test_s12_an_embedded_resource_is_an_object_that_keeps_unknown_fields():
    assert schema_for(Annotated[dict[str, Any] | None, Description("d")], None)["type"] == "object"
    assert schema_for(Annotated[Any, EmbeddedResource()]) == {
        "type": "object",
        "x-kubernetes-embedded-resource": True,
        "x-kubernetes-preserve-unknown-fields": True,
    }


def test_c07_a_list_of_conditions_is_a_map_keyed_by_type():
    """C-26: none of them has a heartbeat."""
    schema = schema_for(tuple[Condition, ...])

    assert schema["x-kubernetes-list-type"] == "map"
    assert schema["x-kubernetes-list-map-keys"] == ["type"]
    assert schema["items"]["required"] == ["lastTransitionTime", "message", "reason", "status", "type"]
    assert schema["items"]["properties"]["status"]["enum"] == ["True", "False", "Unknown"]
    assert schema["items"]["properties"]["type"]["maxLength"] == 316
    assert set(schema["items"]["properties"]) == {*schema["items"]["required"], "observedGeneration"}


@pytest.mark.parametrize(
    ("annotation", "found", "expected"),
    [
        pytest.param(set[str], "set[str]", "ListSet()", id="set"),
        pytest.param(frozenset[str], "frozenset[str]", "ListSet()", id="frozenset"),
        pytest.param(Decimal, "Decimal", "a scalar", id="decimal"),
        pytest.param(list, "list", "list[T]", id="bare list"),
        pytest.param(dict, "dict", "dict[str, T]", id="bare dict"),
        pytest.param(tuple[int, str], "tuple[int, str]", "tuple[T, ...]", id="tuple of two"),
        pytest.param(tuple[int], "tuple[int]", "tuple[T, ...]", id="tuple of one"),
        pytest.param(dict[int, str], "dict[int, str]", "dict[str, T]", id="integer keys"),
        pytest.param(Inner | Colour, "Inner", "one class with a field for each case", id="union of classes"),
        pytest.param(int | float, "int | float", "int | str", id="union of numbers"),
        pytest.param(Mixed, "['a', 1]", "all strings or all integers", id="mixed enum"),
        pytest.param(Literal[1, True], "[1, True]", "all strings", id="integer and boolean"),
        pytest.param(Literal["a", None], "['a', None]", "all strings", id="null literal"),
        pytest.param(CustomResource, "CustomResource", "a plain attrs class", id="a kind in a kind"),
    ],
)
def test_a_type_that_json_cannot_hold_is_refused_with_a_way_out(annotation, found, expected):
    refused = refusal(annotation)

    assert refused.where == "Part.field"
    assert found in refused.found
    assert expected in refused.expected


def test_a_refusal_is_one_sentence_with_class_field_rule_found_and_expected():
    assert str(refusal(Annotated[str, Minimum(1)])) == (
        "Part.field: Minimum fits the type of its field: found Minimum(value=1) on string, "
        "expected int-or-string, integer, number"
    )


# --- required, optional, default --------------------------------------------------------------------------------------


def test_a_field_without_a_default_is_required_and_the_list_is_sorted():
    @attrs.frozen
    class Spec:
        zone: str
        area: str
        size: int = 1

    assert schema_of(Spec)["required"] == ["area", "zone"]


def test_an_optional_field_may_be_absent_and_has_no_default():
    schema = schema_of(part(int | None, None))

    assert "required" not in schema
    assert schema["properties"]["field"] == {"type": "integer"}


def test_a_nullable_field_keeps_an_explicit_null():
    assert schema_for(Annotated[int | None, Nullable()], None) == {"type": "integer", "nullable": True}


def test_a_nullable_enum_is_refused_as_servers_disagree_about_it():
    assert (
        refusal(Annotated[Literal["a"] | None, Nullable()], None).expected == "the default None, and the field left out"
    )


@pytest.mark.parametrize("annotation", [tuple[int | None, ...], dict[str, int | None]], ids=str)
def test_none_among_items_is_refused_unless_null_is_meant(annotation):
    assert refusal(annotation).expected == "Nullable(), or a type without None"
    marked_null = Annotated[int | None, Nullable()]
    assert schema_for(tuple[marked_null, ...])["items"] == {"type": "integer", "nullable": True}


@pytest.mark.parametrize("default", [attrs.NOTHING, 5])
@pytest.mark.parametrize("annotation", [int | None, Annotated[int | None, Nullable()]], ids=str)
def test_an_optional_field_with_another_default_is_refused_since_none_is_never_written(annotation, default):
    assert refusal(annotation, default).expected == "the default None"


def test_nullable_on_a_type_without_none_is_refused():
    assert refusal(Annotated[int, Nullable()]).expected == "T | None"


@pytest.mark.parametrize(
    ("annotation", "default", "written"),
    [
        pytest.param(int, 3, 3, id="int"),
        pytest.param(Colour, Colour.RED, "red", id="enum"),
        pytest.param(tuple[int, ...], (), [], id="tuple"),
        pytest.param(list[int], attrs.Factory(list), [], id="factory"),
        pytest.param(dict[str, int], attrs.Factory(lambda: {"a": 1}), {"a": 1}, id="mapping"),
        pytest.param(Inner, Inner("x"), {"name": "x", "weight": 1}, id="object"),
        pytest.param(datetime, datetime(2026, 1, 1, tzinfo=UTC), "2026-01-01T00:00:00Z", id="datetime"),
        pytest.param(Any, {"a": [1]}, {"a": [1]}, id="any"),
        pytest.param(float, 1, 1, id="whole number"),
    ],
)
def test_a_default_is_written_as_json_and_makes_the_field_optional(annotation, default, written):
    schema = schema_of(part(annotation, default))

    assert schema["properties"]["field"]["default"] == written
    assert "required" not in schema


@pytest.mark.parametrize(
    ("annotation", "default", "said"),
    [
        pytest.param(Annotated[int, Maximum(10)], 12, "an integer of at most 10", id="bound"),
        pytest.param(int, "3", "an integer", id="type"),
        pytest.param(Annotated[tuple[str, ...], ListSet()], ("a", "a"), "no duplicates", id="duplicate"),
        pytest.param(Colour, "green", "one of", id="enum"),
        pytest.param(Any, object(), "a JSON value", id="not JSON"),
        pytest.param(float, float("nan"), "a JSON value", id="nan"),
        pytest.param(datetime, datetime(2026, 1, 1), "a JSON value", id="naive time"),  # noqa: DTZ001
    ],
)
def test_s18_a_default_that_its_own_schema_refuses_is_refused(annotation, default, said):
    refused = refusal(annotation, default)

    assert "(S-18)" in refused.rule
    assert said in refused.expected


@pytest.mark.parametrize("default", [[None], {"a": [None]}])
def test_s18_a_default_that_holds_a_null_is_refused(default):
    assert refusal(Any, default).expected == "values alone"


def test_s18_a_default_that_would_be_pruned_is_refused():
    @attrs.frozen
    class Wide(Inner):
        height: int = 0

    assert "expected a field out of name, weight" in refusal(Inner, Wide("x")).expected


def test_a_factory_that_differs_from_call_to_call_is_refused():
    assert refusal(float, attrs.Factory(random.random)).rule == "a default is the same every time"


def test_a_default_made_from_the_instance_is_left_to_the_program():
    @attrs.frozen
    class Spec:
        name: str
        title: str = attrs.field()

        @title.default
        def _title(self):
            return self.name.title()

    schema = schema_of(Spec)

    assert schema["properties"]["title"] == {"type": "string"}
    assert schema["required"] == ["name"]


# --- names and descriptions -------------------------------------------------------------------------------------------


def test_json_names_are_camel_case_or_as_marked():
    @attrs.frozen
    class Spec:
        replicas_max: int
        pod_ip: Annotated[str, JsonName("podIP")]
        from_: str

    assert list(schema_of(Spec)["properties"]) == ["replicasMax", "podIP", "from"]


def test_a_json_name_that_would_be_overlooked_is_refused():
    assert "outermost" in refusal(Annotated[str, JsonName("x")] | None, None).rule


def test_two_fields_of_one_json_name_are_refused():
    @attrs.frozen
    class Spec:
        a_b: int
        aB: int  # noqa: N815

    with pytest.raises(InvalidKind, match=r"Spec\.aB: a JSON name belongs to one field: found 'aB' again"):
        schema_of(Spec)


def test_fields_that_no_constructor_takes_do_not_travel():
    @attrs.frozen
    class Spec:
        name: str
        size: int = attrs.field(init=False, default=0)

    assert list(schema_of(Spec)["properties"]) == ["name"]


def test_docstrings_and_descriptions_become_descriptions_and_the_field_has_the_last_word():
    @attrs.frozen
    class Spec:
        """What is wanted.

        In two paragraphs.
        """

        inner: Annotated[Inner, Description("The one inside.")]
        plain: Inner

    schema = schema_of(Spec)

    assert schema["description"] == "What is wanted.\n\nIn two paragraphs."
    assert schema["properties"]["inner"]["description"] == "The one inside."
    assert schema["properties"]["plain"]["description"] == "An inner part."


def test_a_base_class_does_not_lend_its_docstring():
    @attrs.frozen
    class Outer(Inner):
        pass

    assert "description" not in schema_of(Outer)


def test_a_field_without_an_annotation_is_refused():
    bare = attrs.make_class("Bare", {"field": attrs.field(type=None)})

    with pytest.raises(InvalidKind, match=r"Bare\.field: a field has a type"):
        schema_of(bare)


def test_a_name_that_does_not_resolve_is_refused():
    with pytest.raises(InvalidKind, match="annotations are resolved where the class is defined"):
        schema_of(part("Nowhere"))


# --- markers on fields and classes ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "annotation",
    [
        Annotated[str, Minimum(1)],
        Annotated[int, MaxLength(1)],
        Annotated[int, Pattern("a")],
        Annotated[str, MinItems(1)],
        Annotated[tuple[str, ...], MaxLength(1)],
        Annotated[tuple[str, ...], MinProperties(1)],
        Annotated[str, ListSet()],
        Annotated[str, Atomic()],
        Annotated[int, PreserveUnknownFields()],
        Annotated[IntOrString, PreserveUnknownFields()],
        Annotated[bool, Format("x")],
        Annotated[Inner, EmbeddedResource()],
        Annotated[bool, Minimum(0)],
    ],
    ids=str,
)
def test_a_marker_on_a_type_it_is_not_about_is_refused(annotation):
    assert "fits the type of its field" in refusal(annotation).rule


def test_a_marker_that_was_not_called_is_refused():
    assert refusal(Annotated[tuple[str, ...], ListSet]).expected == "ListSet(…)"


def test_a_marker_with_senseless_values_is_refused_with_the_field_named():
    refused = refusal(Annotated[str, Pattern("a(?=b)")])

    assert refused.where == "Part.field"
    assert "(S-10)" in refused.expected


def test_markers_of_other_libraries_are_left_alone():
    assert schema_for(Annotated[int, "a note", 3]) == {"type": "integer"}


@pytest.mark.parametrize(
    "annotation",
    [
        Annotated[int, Minimum(1), Minimum(2)],
        Annotated[datetime, Format("date")],
        Annotated[tuple[str, ...], ListSet(), Atomic()],
    ],
    ids=str,
)
def test_contradicting_markers_are_refused(annotation):
    assert refusal(annotation).rule.startswith("one value for ")


def test_bounds_that_leave_no_value_are_refused():
    assert refusal(Annotated[int, Minimum(3), Maximum(2)]).rule == "some value is valid"


def test_rules_add_up_those_of_the_class_first():
    @marked(Rule("self.a < self.b"))
    @attrs.frozen
    class Spec:
        a: int
        b: int

    schema = schema_for(Annotated[Spec, Rule("self.a > 0", message="positive")])

    assert schema["x-kubernetes-validations"] == [
        {"rule": "self.a < self.b"},
        {"rule": "self.a > 0", "message": "positive"},
    ]


def test_a_class_may_keep_unknown_fields_or_be_atomic():
    open_part = part(Annotated[Mapping[str, Any], Rest()], attrs.Factory(dict))
    atomic_part = marked(Atomic())(part(int))

    assert schema_of(open_part) == {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    assert schema_of(atomic_part)["x-kubernetes-map-type"] == "atomic"


@pytest.mark.parametrize(
    ("made", "said"),
    [
        pytest.param(lambda: marked(PreserveUnknownFields())(part(int)), "what the server keeps", id="no place"),
        pytest.param(lambda: part(Annotated[Mapping[str, Any], Rest()]), "may be empty", id="required"),
        pytest.param(
            lambda: part(Annotated[dict[str, int], Rest()], attrs.Factory(dict)), r"mapping of anything", id="typed"
        ),
        pytest.param(
            lambda: part(Annotated[Mapping[str, Any], Rest()] | None, None), "outermost Annotated", id="further in"
        ),
        pytest.param(
            lambda: attrs.make_class(
                "Part",
                {
                    name: attrs.field(type=Annotated[Mapping[str, Any], Rest()], default=attrs.Factory(dict))
                    for name in ("one", "two")
                },
            ),
            "more than one field for the rest: one, two",
            id="two",
        ),
    ],
)
def test_a_class_has_one_place_for_what_it_does_not_know_or_none(made, said):
    with pytest.raises(InvalidKind, match=said):
        schema_of(made())


# --- lists (S-15, S-16) -----------------------------------------------------------------------------------------------


def test_s15_a_list_map_is_keyed_by_scalar_fields_that_are_always_there():
    schema = schema_for(Annotated[tuple[Inner, ...], ListMap(["name", "weight"])])

    assert schema["x-kubernetes-list-map-keys"] == ["name", "weight"]


@attrs.frozen
class Keys:
    optional: str | None = None
    nullable: Annotated[str | None, Nullable()] = None
    inner: Inner = Inner("x")
    snake_case: str = "x"


@pytest.mark.parametrize(
    ("item", "keys", "expected"),
    [
        pytest.param(str, "name", "an attrs class", id="scalar items"),
        pytest.param(Inner, "nam", "a JSON name out of name, weight", id="unknown key"),
        pytest.param(Keys, "snake_case", "a JSON name out of inner, nullable, optional, snakeCase", id="python name"),
        pytest.param(Keys, "optional", "one that is required or defaulted", id="optional key"),
        pytest.param(Keys, "nullable", "one without Nullable", id="nullable key"),
        pytest.param(Keys, "inner", "a scalar field", id="object key"),
        pytest.param(Annotated[Inner | None, Nullable()], "name", "none", id="nullable items"),
    ],
)
def test_s15_a_list_map_that_cannot_be_keyed_is_refused(item, keys, expected):
    refused = refusal(Annotated[tuple[item, ...], ListMap(keys)])

    assert "(S-15)" in refused.rule
    assert refused.expected == expected


@pytest.mark.parametrize(
    "item",
    [
        str,
        Literal["a"],
        Annotated[Inner, Atomic()],
        Annotated[dict[str, int], Atomic()],
        tuple[str, ...],
        Annotated[tuple[str, ...], Atomic()],
    ],
    ids=str,
)
def test_s16_a_set_holds_scalars_and_atomic_values(item):
    assert schema_for(Annotated[tuple[item, ...], ListSet()])["x-kubernetes-list-type"] == "set"


@pytest.mark.parametrize(
    "item",
    [
        Inner,
        dict[str, int],
        Annotated[tuple[str, ...], ListSet()],
        Annotated[tuple[Inner, ...], ListMap("name")],
        Annotated[str | None, Nullable()],
    ],
    ids=str,
)
def test_s16_a_set_of_anything_else_is_refused(item):
    assert "(S-16)" in refusal(Annotated[tuple[item, ...], ListSet()]).rule


# --- transition rules (L-03) ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "annotation",
    [
        Annotated[int, Immutable()],
        Annotated[tuple[int, ...], Immutable()],
        Annotated[Inner, Atomic(), Immutable()],
        dict[str, Annotated[int, Immutable()]],
        Annotated[tuple[Annotated[Inner, Immutable()], ...], ListMap("name")],
    ],
    ids=str,
)
def test_l03_a_transition_rule_stands_where_old_and_new_can_be_matched(annotation):
    schema_of(part(annotation))


@attrs.frozen
class Fixed:
    name: str
    value: Annotated[int, Immutable()]


@pytest.mark.parametrize(
    "annotation",
    [
        tuple[Annotated[int, Immutable()], ...],
        Annotated[tuple[Fixed, ...], Atomic()],
        tuple[Fixed, ...],
        Annotated[Fixed, Atomic()],
        Annotated[dict[str, Annotated[int, Immutable()]], Atomic()],
        marked(Atomic())(attrs.make_class("Whole", {"fixed": attrs.field(type=Fixed)})),
    ],
    ids=str,
)
def test_l03_a_transition_rule_elsewhere_is_refused(annotation):
    assert "(L-03)" in refusal(annotation).rule


# --- whole kinds ------------------------------------------------------------------------------------------------------


@attrs.frozen
class Status:
    phase: str = "Pending"
    seen: tuple[str, ...] = ()
    conditions: tuple[Condition, ...] = ()


def kind_class(**fields):
    made = {name: attrs.field(type=kind, default=default) for name, (kind, default) in fields.items()}
    return attrs.make_class("Thing", made, bases=(CustomResource,), frozen=True, kw_only=True)


def test_s02_the_root_is_an_object_with_the_header_of_every_object():
    schema = schema_of(kind_class(spec=(Inner, attrs.NOTHING)))

    assert schema["type"] == "object"
    assert schema["properties"]["apiVersion"] == {"type": "string"}
    assert schema["properties"]["kind"] == {"type": "string"}
    assert schema["properties"]["metadata"] == {"type": "object"}
    assert schema["required"] == ["spec"]


def test_no_defaults_are_written_under_status():
    schema = schema_of(kind_class(status=(Status, Status())))

    assert "default" not in schema["properties"]["status"]
    assert schema["properties"]["status"]["properties"]["phase"] == {"type": "string"}
    assert "default" not in schema["properties"]["status"]["properties"]["seen"]


def test_the_same_class_has_defaults_in_the_spec():
    schema = schema_of(kind_class(spec=(Status, attrs.NOTHING)))

    assert schema["properties"]["spec"]["properties"]["phase"]["default"] == "Pending"


def test_a_status_without_a_default_is_refused():
    with pytest.raises(InvalidKind, match=r"^Thing\.status: an object is created without its status"):
        schema_of(kind_class(status=(Status, attrs.NOTHING)))


@pytest.mark.parametrize("name", ["api_version", "kind"])
def test_s11_a_field_in_place_of_the_header_is_refused(name):
    with pytest.raises(InvalidKind, match=f"^Thing\\.{name}: a JSON name belongs to one field"):
        schema_of(kind_class(**{name: (str, "x")}))


def test_s11_metadata_of_another_type_is_refused():
    with pytest.raises(InvalidKind, match=r"^Thing\.metadata: .*\(S-11\)"):
        schema_of(kind_class(metadata=(Inner, Inner("x"))))
    assert schema_of(kind_class(metadata=(ObjectMeta, ObjectMeta())))


def test_r04_a_kind_itself_takes_rules_and_little_else():
    ruled = marked(Rule("self.spec.weight > 0"))(kind_class(spec=(Inner, attrs.NOTHING)))

    assert schema_of(ruled)["x-kubernetes-validations"] == [{"rule": "self.spec.weight > 0"}]
    with pytest.raises(InvalidKind, match=r"^Thing: markers of a kind \(R-04\)"):
        schema_of(marked(Atomic())(kind_class(spec=(Inner, attrs.NOTHING))))


@attrs.frozen
class Tree:
    children: "tuple[Tree, ...]" = ()


def test_s07_a_recursive_class_is_refused():
    with pytest.raises(InvalidKind, match=r"^Tree\.children\[\]: .*\(S-07\).*the recursive class Tree → Tree"):
        schema_of(Tree)


def test_one_class_may_stand_in_several_places():
    @attrs.frozen
    class Pair:
        left: Inner
        right: Inner

    assert schema_of(Pair)["properties"]["left"] == schema_of(Pair)["properties"]["right"]


@attrs.frozen
class Sealed:
    seal: Annotated[str | None, Immutable()] = None
    must: Annotated[str, Immutable()] = "x"
    in_: Annotated[str | None, Immutable(), JsonName("in")] = None


def test_an_immutable_field_that_may_be_absent_cannot_be_removed_either():
    schema = schema_of(Sealed)

    assert schema["properties"]["must"]["x-kubernetes-validations"][0]["rule"] == "self == oldSelf"
    assert [rule["rule"] for rule in schema["x-kubernetes-validations"]] == [
        "!has(oldSelf.seal) || has(self.seal)",
        "!has(oldSelf.__in__) || has(self.__in__)",
    ]
