"""Cutting a file into blocks of whole records."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from windlass.serving.data.errors import Unreadable
from windlass.serving.data.records import blocks, header_of, records_of

CELLS = st.text(alphabet='ab",\n\r é', max_size=6)
ROWS = st.lists(st.lists(CELLS, min_size=2, max_size=3), min_size=1, max_size=8)


@given(ROWS, st.integers(60, 400), st.sampled_from(["\n", "\r\n"]))
def test_blocks_are_the_file_cut_between_records_wherever_the_bound_falls(tmp_path_factory, rows, limit, end):
    """P1: quoted line feeds, quotes and carriage returns; blocks say where they lie."""
    text = io.StringIO()
    csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator=end).writerows(rows)
    content = text.getvalue().encode()
    path = tmp_path_factory.getbasetemp() / "blocks.csv"
    path.write_bytes(content)
    found = list(blocks(path, 0, limit=limit))
    assert b"".join(block.content for block in found) == content
    assert all(content[block.offset : block.end] == block.content and len(block.content) <= limit for block in found)
    records = [record.decode() for block in found for _, record in records_of(block.content)]
    again = [next(csv.reader(io.StringIO(record, newline=""))) for record in records]
    assert again == rows


def test_reading_can_begin_at_any_record(tmp_path):
    """P4."""
    path = tmp_path / "a.csv"
    path.write_bytes(b'h\n"1\n1"\n2\n3\n')
    for offset, _ in list(records_of(path.read_bytes())):
        rest = b"".join(block.content for block in blocks(path, offset, limit=7))
        assert rest == path.read_bytes()[offset:]


@pytest.mark.parametrize(
    ("content", "header", "begins"),
    [
        (b"a,b\n1,2\n", b"a,b", 4),
        (b"\xef\xbb\xbfa,b\r\n1,2\r\n", b"a,b", 8),
        (b'\n\n"a\nx",b\n1,2\n', b'"a\nx",b', 10),
        (b"a,b", b"a,b", 3),
    ],
)
def test_the_header_ends_where_the_data_begins(tmp_path, content, header, begins):
    """P1: byte order mark, CRLF, header alone."""
    path = tmp_path / "a.csv"
    path.write_bytes(content)
    assert header_of(path, limit=100) == (header, begins)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "is empty: expected a header"),
        (b"\n\n", "is empty: expected a header"),
        (b"\xef\xbb\xbf", "is empty: expected a header"),
        (b'"a\n' + b"x" * 200, "the record at byte 0 is longer than 100 bytes: a quote without end?"),
        (b'"a\n', "the record at byte 0 has a quote without end"),
    ],
)
def test_a_file_without_a_header_is_refused(tmp_path, content, why):
    path = tmp_path / "a.csv"
    path.write_bytes(content)
    with pytest.raises(Unreadable) as caught:
        header_of(path, limit=100)
    assert why in str(caught.value)


def test_a_file_that_became_shorter_or_went_away_is_told(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes(b"a\n")
    with pytest.raises(Unreadable, match="ends at byte 2, before byte 10"):
        list(blocks(path, 10, limit=100))
    with pytest.raises(Unreadable, match=r"none.csv cannot be read: No such file"):
        list(blocks(tmp_path / "none.csv", 0, limit=100))
