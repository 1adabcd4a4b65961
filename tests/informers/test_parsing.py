"""However an event is written it is read as one and the same, and whatever cannot be read says so: R15, R20, R28."""

import json
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scripted_cluster import WIDGET, body, encode, status

from windlass.informers.objects import Object
from windlass.informers.parsing import Parser
from windlass.informers.phases import Cause
from windlass.informers.signals import BookmarkSeen, ErrorSeen, ObjectSeen, Skipped, StreamEnded

PARSER = Parser(WIDGET, transform=None, keep_managed_fields=False)
MANAGED = [{"manager": "kubectl", "fieldsV1": {"f:spec": {}}}]

names = st.sampled_from(["a", "b}}", '"c', "é", "\\"])
values = st.recursive(st.none() | st.integers() | names, lambda inner: st.lists(inner) | st.dictionaries(names, inner))
objects = st.builds(
    lambda name, spec, kind, managed: {
        **body(name, 5, spec=spec),
        **kind,
        "metadata": {**body(name, 5)["metadata"], **managed},
    },
    names,
    values,
    st.sampled_from([{}, {"kind": "Gadget"}, {"kind": ""}, {"kind": 3}]),
    st.sampled_from([{}, {"managedFields": MANAGED}]),
)
events = st.builds(
    lambda kind, one, before, after: {**before, "type": kind, "object": one, **after},
    st.sampled_from(["ADDED", "MODIFIED", "DELETED", "BOOKMARK", "ERROR", "NEWS"]),
    objects | values,
    st.sampled_from([{}, {"extra": 1}]),
    st.sampled_from([{}, {"extra": {}}, {"extra": {"type": "ADDED"}}]),
)
spaces = st.sampled_from([(",", ":"), (", ", ": "), (",", ": "), (" ,", ":")])


def lines():
    """Events as servers write them, in other ways, and cut or changed somewhere."""
    whole = st.builds(lambda value, separators: json.dumps(value, separators=separators).encode(), events, spaces)
    cut = st.builds(lambda line, at: line[: at % (len(line) + 1)], whole, st.integers(0, 500))
    odd = st.builds(
        lambda line, at, byte: line[: at % len(line)] + bytes([byte]) + line[at % len(line) + 1 :],
        whole, st.integers(0, 500), st.integers(0, 255),
    )  # fmt: skip
    loose = st.builds(lambda line: line[:-1] + b" }", whole)
    return whole | cut | odd | loose


@given(lines(), st.sampled_from([b"", b" ", b"\r", b"}"]))
def test_a_line_read_where_it_lies_is_read_as_it_would_be_by_decoding_it_twice(line, end):
    slow = PARSER._any_event(line + end)
    assert PARSER.event(line + end) == slow


@pytest.mark.parametrize("kind", ["ADDED", "MODIFIED", "DELETED"])
def test_an_event_as_servers_write_it_is_decoded_once(kind):
    value = body("a", 5, spec={"n": 1})
    with patch.object(Parser, "_any_event", side_effect=AssertionError("decoded as a whole")):
        seen = PARSER.event(encode({"type": kind, "object": value}))

    assert seen == ObjectSeen(kind, Object.parse(encode(value)))


def test_managed_fields_are_cut_out_unless_they_are_wanted():
    value = body("a", 5)
    value["metadata"]["managedFields"] = MANAGED
    line = encode({"type": "ADDED", "object": value})

    assert PARSER.event(line).object.raw == encode(body("a", 5))
    assert Parser(WIDGET, transform=None, keep_managed_fields=True).event(line).object.raw == encode(value)


def test_every_other_type_of_event():
    """R15, R20."""
    bookmark = {"kind": "Widget", "metadata": {"resourceVersion": "7"}}
    marked = {"metadata": {**bookmark["metadata"], "annotations": {"k8s.io/initial-events-end": "true"}}}
    wrong = {**body("a", 8), "kind": "Gadget"}

    assert PARSER.event(encode({"type": "BOOKMARK", "object": bookmark})) == BookmarkSeen("7")
    assert PARSER.event(encode({"type": "BOOKMARK", "object": marked})) == BookmarkSeen("7", initial_end=True)
    assert PARSER.event(encode({"type": "ADDED", "object": wrong})) == Skipped("8")
    assert PARSER.event(encode({"type": "NEWS", "object": body("a", 9)})) == Skipped("9")
    error = PARSER.event(encode({"type": "ERROR", "object": status(410, "Expired")}))
    assert isinstance(error, ErrorSeen)
    assert error.failure.cause is Cause.EXPIRED


@pytest.mark.parametrize(
    "line", [b"<html>", b'{"type":"ADDED","object":{}}', b'{"type":"ADDED","object":{"metadata":3}}']
)
def test_a_line_that_cannot_be_read_ends_the_stream_and_is_shown(line):
    end = PARSER.event(line)

    assert isinstance(end, StreamEnded)
    assert end.failure.cause is Cause.MALFORMED
    assert repr(line) in end.failure.message


def test_a_transform_changes_objects_of_events_and_of_lists_and_one_that_raises_leaves_them_as_they_are():
    """R28."""

    def trim(value):
        if value["spec"] == "odd":
            raise ValueError(value)
        return {"spec": "less"}

    parser = Parser(WIDGET, transform=trim, keep_managed_fields=False)

    assert parser.event(encode({"type": "ADDED", "object": body("a", 5, spec="more")})).object.spec == b'"less"'
    kept = parser.event(encode({"type": "ADDED", "object": body("a", 5, spec="odd")})).object
    assert kept.raw == encode(body("a", 5, spec="odd"))
    assert [one.spec for one in parser.objects([encode(body("a", 5, spec="more"))])] == [b'"less"']
