"""A file of JSON lines is pinned by its digest like any data version, and each fault has its own reason (A2)."""

import pytest

from windlass.operators.errors import DataError
from windlass.operators.training.dataversion import DataRecord, resolve
from windlass.operators.training.files import sha256_of
from windlass.operators.training.lines import LINES_ID
from windlass.operators.training.llm.texts import Example, read_examples
from windlass.operators.training.table import read_rows

CONTENT = '{"text": "ç"}\n\n{"text": "b", "more": 1}\n'.encode()


@pytest.fixture
def path(tmp_path):
    (tmp_path / "my texts.jsonl").write_bytes(CONTENT)
    return tmp_path / "my texts.jsonl"


@pytest.mark.parametrize("version", [0, "latest"])
@pytest.mark.parametrize("form", ["path", "uri"])
def test_the_record_is_of_the_bytes(path, version, form):
    uri = str(path) if form == "path" else path.as_uri()

    assert resolve(uri, version) == DataRecord(uri, LINES_ID, 0, sha256_of(CONTENT), 1, 2)


def test_its_texts_are_read_by_the_numbers_of_their_lines(path):
    found = read_examples(resolve(str(path), "latest"))

    assert (found.ids.tolist(), found.examples) == ([0, 1], (Example("ç"), Example("b")))


def test_rows_of_its_own_are_kept(path):
    path.write_text('{"row": 7, "prompt": "p", "completion": "c"}\n{"row": 2, "prompt": "q", "completion": "d"}')
    found = read_examples(resolve(str(path), "latest"))

    assert (found.ids.tolist(), found.examples) == ([2, 7], (Example("d", "q"), Example("c", "p")))


@pytest.mark.parametrize(
    ("content", "version", "expected", "reason", "told"),
    [
        (b'{"text": "a"}\n{"text"', "latest", None, "TableCorrupt", "line 2: expected a JSON object"),
        (b"[1]", "latest", None, "TableCorrupt", "line 1: expected a JSON object, found list"),
        (b'{"text": "\xff"}', "latest", None, "TableCorrupt", "line 1: expected a JSON object"),
        (None, "latest", None, "TableNotFound", "there is no file of JSON lines"),
        (b"{}", 1, None, "DataVersionNotFound", "whose only version is 0"),
        (b"{}", 0, "an-id", "TableIdMismatch", "expected an-id"),
    ],
)
def test_each_fault_has_its_reason(path, content, version, expected, reason, told):
    path.unlink()
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(DataError, match=told) as caught:
        resolve(str(path), version, expected_table_id=expected)

    assert caught.value.reason == reason


def test_a_file_that_changed_since_it_was_pinned_is_not_read(path):
    record = resolve(str(path), "latest")
    path.write_bytes(CONTENT + b'{"text": "x"}\n')

    with pytest.raises(DataError, match="no longer the file") as caught:
        read_examples(record)
    assert caught.value.reason == "DataFilesMissing"


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b'{"row": 1, "text": "a"}\n{"text": "b"}', "column 'row'"),
        (b'{"row": 1, "words": "a"}', "the columns row, words"),
    ],
)
def test_lines_that_break_the_contract_are_refused_by_name(path, content, told):
    path.write_bytes(content)

    with pytest.raises(DataError, match=told):
        read_examples(resolve(str(path), "latest"))


def test_a_trainer_of_numbers_wants_a_table(path):
    with pytest.raises(DataError, match="expected a Delta table, found a file of JSON lines") as caught:
        read_rows(resolve(str(path), "latest"))

    assert caught.value.reason == "DataUnsuitable"
