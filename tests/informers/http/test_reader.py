"""A reader makes the same answer of the same bytes, however they are cut, and calls nothing an answer that is none."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from windlass.informers.http.reader import HEAD_BYTES_MAX, Reader
from windlass.informers.http.reasons import NoAnswer

STATUSES = st.sampled_from((200, 201, 404, 500))
BODIES = st.binary(max_size=200)


def by_length(status, body):
    return b"HTTP/1.1 %d Whatever\r\nX-A: b\r\nContent-Length: %d\r\n\r\n" % (status, len(body)) + body


def chunked(status, body):
    half = len(body) // 2
    chunks = [part for part in (body[:half], body[half:]) if part]
    coded = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in chunks)
    return b"HTTP/1.1 %d Whatever\r\nX-A: b\r\nTransfer-Encoding: chunked\r\n\r\n" % status + coded + b"0\r\n\r\n"


def pieces(data, cuts):
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    return [data[a:b] for a, b in itertools.pairwise(edges) if a < b]


@given(
    st.lists(st.tuples(st.sampled_from((by_length, chunked)), STATUSES, BODIES), min_size=1, max_size=3),
    st.lists(st.integers(0, 10_000), max_size=8),
    st.booleans(),
)
def test_answers_are_the_same_however_their_bytes_are_cut(answers, cuts, interim):
    reader = Reader()
    for make, status, body in answers:
        data = b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" * interim + make(status, body)
        reader.begin()
        taken = []
        for piece in pieces(data, cuts):
            assert not reader.complete
            reader.feed(piece)
            taken.append(reader.take())
        assert (reader.status, reader.complete, b"".join(taken)) == (status, True, body)
        assert reader.fields[0] == (b"X-A", b"b"), "and nothing of the interim answer's head"
        assert reader.reusable


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\na",
        b"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\na",
        by_length(200, b"a") + b"HTTP/1.1 408 Request Timeout\r\n\r\n",
    ],
    ids=["close", "HTTP/1.0", "more than was asked for"],
)
def test_a_connection_is_used_again_only_where_that_is_sure(answer):
    reader = Reader()
    reader.feed(answer)
    assert (reader.status, reader.complete, reader.take()) == (200, True, b"a")
    assert not reader.reusable


def test_bytes_that_follow_a_complete_answer_spoil_the_connection():
    reader = Reader()
    reader.feed(by_length(200, b"a"))
    assert reader.reusable
    reader.feed(b"HTTP/1.1 408 Request Timeout\r\n\r\n")
    assert not reader.reusable
    assert reader.status == 200


def test_an_answer_without_a_length_ends_with_the_connection():
    reader = Reader()
    reader.feed(b"HTTP/1.1 200 OK\r\n\r\nhalf")
    assert not reader.complete
    reader.end()
    assert (reader.complete, reader.take(), reader.reusable) == (True, b"half", False)


@pytest.mark.parametrize("answer", [by_length(200, b"abc"), chunked(200, b"abc"), b"HTTP/1.1 200 OK\r\nX-A: b\r\n"])
def test_an_answer_with_a_length_that_is_cut_short_never_becomes_complete(answer):
    for size in range(len(answer) - 1):
        reader = Reader()
        reader.feed(answer[:size])
        reader.end()
        assert not reader.complete


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"SSH-2.0 hello\r\n", "cannot be read as HTTP"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n", "cannot be read as HTTP"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", "cannot be read as HTTP"),
        (b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n", "changes the protocol"),
        (b"HTTP/1.1 200 OK\r\nX-A: " + b"a" * HEAD_BYTES_MAX, f"head is longer than {HEAD_BYTES_MAX} bytes"),
    ],
    ids=["another protocol", "no number", "two lengths", "upgrade", "endless"],
)
def test_what_is_no_answer_is_said_to_be_none(answer, words):
    with pytest.raises(NoAnswer, match=words):
        Reader().feed(answer)
