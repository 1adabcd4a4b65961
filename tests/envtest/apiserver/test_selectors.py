import pytest
from hypothesis import given
from hypothesis import strategies as st

from windlass.envtest.apiserver.errors import ApiError
from windlass.envtest.apiserver.selectors import matches_labels, parse_fields, parse_labels

KEYS = st.sampled_from(["app", "tier", "ex.dev/kind", "in", "notin"])
VALUES = st.sampled_from(["", "a", "b", "x-1", "7", "10"])
LABELS = st.dictionaries(KEYS, VALUES)


def selects(text, labels):
    return matches_labels(parse_labels(text), labels)


@pytest.mark.parametrize(
    ("text", "labels", "expected"),
    [
        ("", {}, True),
        ("a=b", {"a": "b"}, True),
        ("a==b", {"a": "c"}, False),
        ("a!=b", {}, True),
        ("a!=b", {"a": "b"}, False),
        ("a in (b, c)", {"a": "c"}, True),
        ("a in (b,c)", {}, False),
        ("a notin (b,c)", {}, True),
        ("a notin (b,c)", {"a": "b"}, False),
        ("a", {"a": ""}, True),
        ("!a", {"a": ""}, False),
        ("! a", {}, True),
        ("a>3", {"a": "10"}, True),
        ("a<3", {"a": "10"}, False),
        ("a>3", {"a": "many"}, False),
        ("a>3", {}, False),
        ("a=", {"a": ""}, True),
        ("a=,b", {"a": "", "b": "c"}, True),
        ("a in (,b)", {"a": ""}, True),
        ("ex.dev/a=b,!c,d in (e)", {"ex.dev/a": "b", "d": "e"}, True),
    ],
)
def test_label_selectors_match_as_the_grammar_says(text, labels, expected):
    assert selects(text, labels) is expected


@pytest.mark.parametrize(
    "text", ["=b", "a b", "a in b", "a in (b", "a=b,", ",", "a>x", "-a", "a=-b", "a!b", "a in (b))", "a=b c"]
)
def test_a_malformed_label_selector_is_a_bad_request(text):
    with pytest.raises(ApiError, match="unable to parse requirement") as caught:
        parse_labels(text)
    assert caught.value.code == 400


@given(KEYS, VALUES, LABELS)
def test_equality_and_inequality_are_complements(key, value, labels):
    assert selects(f"{key}={value}", labels) is not selects(f"{key}!={value}", labels)


@given(KEYS, st.lists(VALUES.filter(bool), min_size=1), LABELS)
def test_in_and_notin_are_complements_and_survive_printing(key, values, labels):
    text = f"{key} in ({','.join(values)})"
    assert selects(text, labels) is not selects(text.replace(" in ", " notin ", 1), labels)
    (requirement,) = parse_labels(text)
    assert parse_labels(str(requirement)) == (requirement,)


@given(st.text(max_size=30))
def test_any_text_is_either_parsed_or_refused(text):
    try:
        parse_labels(text)
        parse_fields(text)
    except ApiError as error:
        assert error.code == 400  # noqa: PT017 - both outcomes are legal


def test_field_selectors_know_three_operators_and_escapes():
    first, second, third = parse_fields("metadata.name=a,type!=Normal,reason==b\\,c")
    assert (first.field, first.value, first.negated) == ("metadata.name", "a", False)
    assert second.negated
    assert third.value == "b,c"
    assert second.matches({"type": "Warning"}.__getitem__)
    with pytest.raises(ApiError, match="can't understand 'x'"):
        parse_fields("x")
