import pytest
from hypothesis import given
from hypothesis import strategies as st

from windlass.envtest.apiserver.schema.celtypes import Declarations, escaped, shown
from windlass.envtest.apiserver.schema.durations import parse_duration

NAMES = st.text(st.sampled_from("ab_.-/9"), min_size=1, max_size=8)


@given(NAMES, NAMES)
def test_two_names_have_two_escapes(left, right):
    if left != right and escaped(left):
        assert escaped(left) != escaped(right)


@given(NAMES)
def test_an_escaped_name_is_an_identifier_or_nothing(name):
    assert escaped(name) == "" or escaped(name).isidentifier()


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("plain", "plain"),
        ("namespace", "__namespace__"),
        ("a-b", "a__dash__b"),
        ("a.b", "a__dot__b"),
        ("a/b", "a__slash__b"),
        ("a__b", "a__underscores__b"),
        ("9a", ""),
        ("a b", ""),
    ],
)
def test_names_are_escaped_as_in_kubernetes(name, expected):
    assert escaped(name) == expected


SCALARS = st.sampled_from(
    [
        {"type": "integer"},
        {"type": "number"},
        {"type": "boolean"},
        {"type": "string"},
        {"type": "string", "format": "date-time"},
        {"type": "string", "format": "duration"},
        {"type": "string", "format": "byte"},
        {"type": "string", "nullable": True},
        {"x-kubernetes-int-or-string": True},
        {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
    ]
)
KEYS = st.sampled_from(["a", "a_b", "aB", "AB", "namespace", "a-b", "items", "key", "value", "ItemsEntry"])
SCHEMAS = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.builds(lambda items: {"type": "array", "items": items}, inner),
        st.builds(lambda values: {"type": "object", "additionalProperties": values}, inner),
        st.builds(lambda parts: {"type": "object", "properties": parts}, st.dictionaries(KEYS, inner, max_size=4)),
    ),
    max_leaves=12,
)


@given(SCHEMAS)
def test_every_structural_schema_can_be_declared(schema):
    from cel_expr_python import cel

    types = Declarations(schema)
    cel.NewEnv(descriptor_pool=types.pool, variables={"self": cel.Type(types.name)}).compile("self == self")


def test_what_is_not_declared_or_null_is_not_shown():
    schema = {"type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": "string", "nullable": True}}}
    assert shown({"a": 1, "b": None, "c": 3}, schema) == {"a": 1}


def test_integers_are_shown_as_numbers_where_numbers_are_meant():
    found = shown([1, 2.5], {"type": "array", "items": {"type": "number"}})
    assert [type(one) for one in found] == [float, float]


@given(st.integers(0, 10**6), st.integers(0, 59), st.integers(0, 59), st.integers(0, 10**9 - 1), st.booleans())
def test_durations_are_exact(hours, minutes, seconds, nanos, negative):
    sign, text = (-1 if negative else 1), f"{hours}h{minutes}m{seconds}s{nanos}ns"
    total = (hours * 60 + minutes) * 60 + seconds
    found = parse_duration(f"-{text}" if negative else text)
    assert found == {"seconds": sign * total, "nanos": sign * nanos}


def test_durations_have_fractions():
    assert parse_duration("1.5s") == {"seconds": 1, "nanos": 500_000_000}
    assert parse_duration("0") == {"seconds": 0, "nanos": 0}
