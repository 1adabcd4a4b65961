"""Reading tables: types by the schema, bad rows by policy, any place to go on from."""

import json
import random
import tracemalloc

import msgspec
import numpy as np
import pytest
from seeds import announced_seed

from windlass.serving.data import (
    BadRow,
    Column,
    DataProblem,
    QuarantineFile,
    Reader,
    Reading,
    Schema,
    SchemaError,
    State,
    StateMismatch,
    Unreadable,
    digest_of_arrays,
)

SCHEMA = Schema((Column("age"), Column("city", "category", fill="?"), Column("n", "integer")), label="n")


@pytest.fixture
def file(tmp_path):
    def write(content, name="a.csv"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def read(path, schema=SCHEMA, **reading):
    """All rows as lists by column."""
    found = {column.name: [] for column in schema.columns}
    for batch in Reader([path], schema, reading=Reading(**reading)).batches():
        for name, values in batch.table.items():
            found[name] += values.tolist()
    return found


@pytest.mark.parametrize(
    "content",
    [
        "age,city,n\n1.5,Oslo,7\n2,Rome,8\n",
        "age,city,n\r\n1.5,Oslo,7\r\n2,Rome,8\r\n",
        "\ufeffage,city,n\n1.5,Oslo,7\n2,Rome,8",
        'n,"age",other,city\n7,"1.5",x,Oslo\n\n8,2,y,"Rome"\n',
        "age , city, n\n 1.5 ,Oslo,7\n2e0,Rome, 8 \n",
    ],
    ids=["plain", "crlf", "mark, no end", "quotes, order, others, empty line", "blanks"],
)
def test_the_same_rows_however_they_are_written(file, content):
    """P1."""
    assert read(file(content)) == {"age": [1.5, 2.0], "city": ["Oslo", "Rome"], "n": [7, 8]}


def test_text_may_hold_what_separates_rows(file):
    """P1: quoted line feeds, commas and quotes, whatever the size of a block."""
    content = 'age,city,n\n1,"a\nb",1\n2,"c,d",2\n3,"say ""x""",3\n4,é,4\n'
    for block in (20, 27, 1000):
        assert read(file(content), block_bytes=block)["city"] == ["a\nb", "c,d", 'say "x"', "é"]


def test_types_are_those_of_the_schema_and_not_a_guess(file):
    """P1: numbers that are categories, integers that are numbers."""
    schema = Schema((Column("code", "category"), Column("x")))
    assert read(file("code,x\n007,1\n1e5,2\n"), schema) == {"code": ["007", "1e5"], "x": [1.0, 2.0]}


@pytest.mark.parametrize("spelling", ["", "NA", "N/A", "NaN", "nan", "NULL", "null", "None"])
def test_a_missing_value_is_filled_or_makes_its_row_bad(file, spelling):
    """P1."""
    path = file(f"age,city,n\n1,{spelling},1\n")
    assert read(path)["city"] == ["?"]
    with pytest.raises(BadRow, match=r"a.csv row 1 \(byte 11\): column 'age': missing"):
        read(file(f"age,city,n\n{spelling},Oslo,1\n"))
    filled = Schema((Column("age", fill=0), Column("n", "integer", fill=-1)))
    assert read(file(f"age,n\n{spelling},{spelling}\n1,1\n"), filled) == {"age": [0.0, 1.0], "n": [-1, 1]}


def test_spellings_of_missing_values_are_the_schemas_own(file):
    schema = Schema((Column("x", fill=0.0),), missing=("-",))
    assert read(file("x\n-\n1\n"), schema) == {"x": [0.0, 1.0]}


BAD = [
    pytest.param("1.5,Oslo", "Expected 3 columns, got 2", id="short"),
    pytest.param("1.5,Oslo,1,2", "Expected 3 columns, got 4", id="long"),
    pytest.param("old,Oslo,1", "column 'age': CSV conversion error to double: invalid value 'old'", id="no number"),
    pytest.param("1_0,Oslo,1", "column 'age': CSV conversion error to double", id="underscore"),
    pytest.param("inf,Oslo,1", "column 'age': expected a finite number", id="infinite"),
    pytest.param("1e999,Oslo,1", "column 'age': expected a finite number", id="too large"),
    pytest.param("1,Oslo,1.0", "column 'n': CSV conversion error to int64", id="no integer"),
    pytest.param("1,Oslo,9223372036854775808", "column 'n': CSV conversion error to int64", id="65 bits"),
    pytest.param("1,Oslo,", "column 'n': missing", id="missing"),
    pytest.param(b"1,\xff\xfe,1", "column 'city': CSV conversion error to string: invalid UTF8", id="no text"),
]


@pytest.mark.parametrize(("record", "why"), BAD)
def test_a_bad_row_is_told_with_its_place_or_left_out_and_touches_no_other(file, record, why):
    """P1: error, skip, quarantine."""
    record = record if isinstance(record, bytes) else record.encode()
    good = b"".join(b"%d,Oslo,%d\n" % (number, number) for number in range(100))
    path = file(b"age,city,n\n" + good + record + b"\n" + good)
    with pytest.raises(BadRow) as caught:
        read(path)
    assert f"a.csv row 101 (byte {11 + len(good)}): {why}" in str(caught.value)
    assert (caught.value.row, caught.value.offset) == (101, 11 + len(good))
    assert read(path, on_bad="skip")["n"] == [*range(100), *range(100)]


def test_bad_rows_are_counted_and_put_aside_once_with_their_reason(file, tmp_path):
    """P1, P6: also when a reading goes on within their block."""
    path = file(b"age,city,n\n1,a,1\nx,b,2\n3,\xff,3\n4,d,4\n5\n6,f,6\n")
    aside = tmp_path / "aside.jsonl"

    def reader():
        return Reader([path], SCHEMA, reading=Reading(2, on_bad="quarantine"), quarantine=QuarantineFile(aside))

    batches = list(reader().batches())
    list(reader().batches(batches[0].state))
    lines = [json.loads(line) for line in aside.read_text().splitlines()]
    assert [(line["row"], line["offset"], line["record"] or line["record_base64"]) for line in lines] == [
        (2, 17, "x,b,2"),
        (3, 23, "Myz/LDM="),
        (5, 35, "5"),
    ]
    assert [line["why"][:14] for line in lines] == ["column 'age': ", "column 'city':", "Expected 3 col"]
    steps = reader().lineage(batches[-1].state)["steps"]
    assert steps[0] == {"name": "read", "rows_in": 6, "rows_out": 3, "why": "bad rows"}


def test_too_many_bad_rows_are_an_error_all_the_same(file):
    path = file("age,city,n\n" + "x,a,1\n" * 11)
    with pytest.raises(DataProblem, match=r"a.csv: more than 10 bad rows, the latest: column 'age'"):
        read(path, on_bad="skip", bad_max=10)


def test_a_quarantine_that_cannot_be_used_is_told(file, tmp_path):
    path = file("age,city,n\nx,a,1\n")
    with pytest.raises(SchemaError, match="expected a quarantine, found none"):
        Reader([path], SCHEMA, reading=Reading(on_bad="quarantine"))
    (tmp_path / "other").write_text("hello\n")
    with pytest.raises(Unreadable, match=r"the quarantine .*other"):
        QuarantineFile(tmp_path / "other")


@pytest.mark.parametrize(
    ("content", "error", "why"),
    [
        ("", Unreadable, "a.csv is empty: expected a header"),
        ("age,city\n1,2\n", SchemaError, "expected a column 'n', found none: age, city"),
        ("age,city,n,n\n", SchemaError, "expected a column 'n', found 2 of that name: age, city, n, n"),
        (b"\xff\xfea\x00g\x00e\x00", Unreadable, "the header is no text that can be read"),
        (b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", Unreadable, "the header is no text that can be read"),
        ('age,"city,n\n1,a,1\n', Unreadable, "the record at byte 0 has a quote without end"),
    ],
    ids=["empty", "column missing", "column twice", "UTF-16", "an image", "quote"],
)
def test_a_file_of_something_else_is_one_clear_error(file, content, error, why):
    """P1: hostile files."""
    with pytest.raises(error) as caught:
        read(file(content))
    assert why in str(caught.value)


def test_a_header_alone_is_no_rows(file):
    """P1."""
    assert read(file("age,city,n\n")) == read(file("age,city,n")) == {"age": [], "city": [], "n": []}


def test_a_record_longer_than_a_block_is_an_error_and_not_a_full_memory(file):
    """P1."""
    path = file("age,city,n\n1,a,1\n2," + "x" * 300 + ",2\n")
    with pytest.raises(Unreadable, match="the record at byte 17 is longer than 256 bytes"):
        read(path, block_bytes=256, on_bad="skip")


def numbers(file, rows, name="a.csv"):
    lines = (f"{number / 7},city{number % 5},{number}" for number in range(rows))
    return file("age,city,n\n" + "\n".join(lines) + "\n", name)


def test_batches_are_of_one_size_but_the_last_whatever_the_blocks(file):
    path = numbers(file, 100)
    for block in (64, 333, 1 << 20):
        batches = list(Reader([path], SCHEMA, reading=Reading(32, block)).batches())
        assert [len(batch.table["n"]) for batch in batches] == [32, 32, 32, 4]
        assert [value for batch in batches for value in batch.table["n"]] == list(range(100))


def test_numbers_of_one_block_are_not_copied(file):
    """M3: a batch within a block is a view on what the parser has made."""
    (batch,) = Reader([numbers(file, 10)], SCHEMA).batches()
    assert batch.table["age"].base is not None
    assert not batch.table["age"].flags.owndata


def test_memory_is_bounded_by_the_block_and_not_by_the_file(file):
    """P1, M3: 40 MB in blocks of 256 KiB, within 8 MiB of Python's and Arrow's memory."""
    import pyarrow as pa

    path = file("age,city,n\n" + "123.456,Oslo,12345678\n" * 1_900_000)
    reader = Reader([path], SCHEMA, reading=Reading(4096, 1 << 18))
    assert path.stat().st_size > 40_000_000
    tracemalloc.start()
    try:
        rows, arrow = 0, 0
        for index, batch in enumerate(reader.batches()):
            rows += len(batch.table["n"])
            arrow = max(arrow, pa.total_allocated_bytes())
            if index == 60:
                break
        _, python = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert rows == 61 * 4096
    assert python + arrow < 8 << 20


def sequence(batches):
    return [digest_of_arrays(batch.table) for batch in batches]


@pytest.mark.parametrize("shuffle", [False, True])
def test_from_any_batch_on_the_rest_is_the_same(file, shuffle):
    """P4: states are written and read; several files, blocks that end anywhere, every place."""
    paths = [numbers(file, rows, f"{rows}.csv") for rows in (50, 1, 77)]
    reading = Reading(8, 200, shuffle=shuffle, seed=3)
    whole = list(Reader(paths, SCHEMA, reading=reading).batches())
    expected = sequence(whole)
    for index, batch in enumerate(whole):
        state = msgspec.json.decode(msgspec.json.encode(batch.state), type=State)
        rest = list(Reader(paths, SCHEMA, reading=reading).batches(state))
        assert sequence(rest) == expected[index + 1 :]
        if rest:
            assert rest[-1].state == whole[-1].state


def test_a_reader_that_is_stopped_again_and_again_gives_the_same_batches(file):
    """P4: through three epochs, with bad rows."""
    rng = random.Random(announced_seed())
    lines = [f"{'x' if number % 13 == 0 else number},c{number % 3},{number}" for number in range(120)]
    path = file("age,city,n\n" + "\n".join(lines))
    reading = Reading(10, 150, on_bad="skip", shuffle=True, seed=9)
    reader = Reader([path], SCHEMA, reading=reading)
    whole = [digest for epoch in range(3) for digest in sequence(reader.batches(reader.begin(epoch)))]
    found = []
    for epoch in range(3):
        state = reader.begin(epoch)
        while True:
            wanted, taken = rng.randint(1, 3), 0
            batches = Reader([path], SCHEMA, reading=reading).batches(state)
            for batch in batches:
                found.append(digest_of_arrays(batch.table))
                state, taken = batch.state, taken + 1
                if taken == wanted:
                    break
            batches.close()
            if taken < wanted:
                break
    assert found == whole


def test_the_order_follows_from_seed_and_epoch(file):
    """P4."""
    path = numbers(file, 100)

    def order(seed, epoch):
        reader = Reader([path], SCHEMA, reading=Reading(100, shuffle=True, seed=seed))
        return [value for batch in reader.batches(reader.begin(epoch)) for value in batch.table["n"].tolist()]

    assert order(1, 0) == order(1, 0)
    assert len({tuple(order(seed, epoch)) for seed in (1, 2) for epoch in (0, 1)}) == 4
    assert sorted(order(2, 1)) == list(range(100))


@pytest.mark.parametrize("change", ["file", "schema", "settings"])
def test_a_state_of_something_else_is_refused(file, change):
    path = numbers(file, 100)
    state = Reader([path], SCHEMA).begin()
    if change == "file":
        numbers(file, 101)
    schema = Schema((Column("age"),)) if change == "schema" else SCHEMA
    reading = Reading(seed=1) if change == "settings" else Reading()
    with pytest.raises(StateMismatch, match=r"the state belongs to [0-9a-f]{12}, but these files"):
        next(Reader([path], schema, reading=reading).batches(state))


def test_lineage_adds_up_and_has_the_digest_of_what_came_out(file):
    """P6: the same for a reading that was stopped in between."""
    path = numbers(file, 30)
    reader = Reader([path], SCHEMA, reading=Reading(8))
    batches = list(reader.batches())
    resumed = list(reader.batches(batches[1].state))
    event = reader.lineage(resumed[-1].state)
    assert event == reader.lineage(batches[-1].state)
    assert event["inputs"] == [{"file": "a.csv", "bytes": path.stat().st_size}]
    assert [(step["rows_in"], step["rows_out"]) for step in event["steps"]] == [(30, 30), (30, 30)]
    assert len(event["output"]["digest"]) == 64
    assert reader.lineage(batches[1].state)["steps"][1]["rows_out"] == 16


def test_bad_rows_after_the_last_batch_are_counted_at_the_end(file):
    """P6: whether the last batch is full or not, and their blocks hold nothing else."""
    for good in (8, 9):
        path = file("age,city,n\n" + "1,a,1\n" * good + "x,b,2\n" * 30)
        reader = Reader([path], SCHEMA, reading=Reading(4, 60, on_bad="skip"))
        assert reader.ended is None
        batches = list(reader.batches())
        assert sum(len(batch.table["n"]) for batch in batches) == good
        steps = reader.lineage(reader.ended)["steps"]
        assert [(step["rows_in"], step["rows_out"]) for step in steps] == [(good + 30, good), (good, good)]
        assert list(reader.batches(reader.ended)) == []


@pytest.mark.parametrize("setting", [{"batch_rows": 0}, {"block_bytes": 0}])
def test_settings_that_cannot_be_meant_are_refused(setting):
    with pytest.raises(SchemaError, match="expected at least 1, found 0"):
        Reading(**setting)


def test_a_schema_tells_every_fault_at_once():
    with pytest.raises(SchemaError) as caught:
        Schema((Column("a", fill="x"), Column("a", "category", fill=1), Column("b", "integer", fill=1.5)), label="z")
    assert str(caught.value) == (
        "columns: 'a' is given twice; label: expected one of a, a, b, found 'z'; "
        "columns: 'a': fill: expected a finite number, found 'x'; columns: 'a': fill: expected text, found 1.0; "
        "columns: 'b': fill: expected a whole number, found 1.5"
    )


def test_arrays_that_differ_in_anything_have_other_digests():
    one = {"a": np.array([1.0, 2.0])}
    others = [{"b": one["a"]}, {"a": one["a"].astype("f4")}, {"a": one["a"].reshape(2, 1)}, {"a": np.array([1.0, 3.0])}]
    assert len({digest_of_arrays(arrays) for arrays in [one, *others]}) == 5
    assert digest_of_arrays({"a": np.array([1.0, 2.0], dtype=">f8")}) == digest_of_arrays(one)
