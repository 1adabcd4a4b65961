"""What was decided is on disk, and is read back."""

import json
from datetime import UTC, datetime

import pytest

from windlass.serving.errors import EndpointError
from windlass.serving.experiments.decision import Report
from windlass.serving.experiments.journal import Journal

WEIGHTS = {"a": 90, "b": 10}


def journal(path=None):
    return Journal(path, now=lambda: datetime(2026, 11, 27, 12, 0, 0, 500_000, UTC))


def began(into, experiment="e"):
    into.append("r", experiment, report=Report("began", "here we go", {}), weights=WEIGHTS)


def ended(into, kind="rolled back"):
    into.append("r", "e", report=Report(kind, "it failed", {"p": 0.01}), weights=WEIGHTS)


def test_an_entry_is_a_line_with_all_that_is_known(tmp_path):
    ended(journal(tmp_path / "j.jsonl"))
    assert json.loads((tmp_path / "j.jsonl").read_text()) == {
        "time": "2026-11-27T12:00:00.500+00:00",
        "route": "r",
        "experiment": "e",
        "kind": "rolled back",
        "why": "it failed",
        "weights": {"a": 90, "b": 10},
        "evidence": {"p": 0.01},
    }


def test_a_verdict_outlives_the_process_and_stays_the_first(tmp_path):
    """T17: what was rolled back is not begun again."""
    first = journal(tmp_path / "j.jsonl")
    began(first)
    assert first.verdict("r", "e") is None
    ended(first)
    ended(first, "won")
    again = journal(tmp_path / "j.jsonl")
    assert again.verdict("r", "e") == first.verdict("r", "e")
    assert again.verdict("r", "e").kind == "rolled back"
    assert (again.verdict("other", "e"), again.verdict("r", "f")) == (None, None)
    assert [entry.kind for entry in again.entries("r")] == ["began", "rolled back", "won"]
    assert again.entries("other") == []


def test_a_line_that_a_crash_cut_off_is_removed(tmp_path):
    path = tmp_path / "j.jsonl"
    began(journal(path))
    whole = path.read_bytes()
    path.write_bytes(whole + whole[:40])
    ended(journal(path))
    assert [entry.kind for entry in Journal(path).entries("r")] == ["began", "rolled back"]
    assert path.read_bytes().startswith(whole)


def test_a_file_of_something_else_is_refused_and_left_alone(tmp_path):
    path = tmp_path / "j.jsonl"
    path.write_text('hello\n{"time": 1}\n')
    with pytest.raises(EndpointError, match=r"j.jsonl line 1 is no entry of a journal"):
        Journal(path)
    assert path.read_text() == 'hello\n{"time": 1}\n'


def test_a_place_that_cannot_be_written_is_told_at_the_start(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(EndpointError, match=r"the journal of experiments .*file/j.jsonl"):
        Journal(tmp_path / "file" / "j.jsonl")


def test_a_disk_that_refuses_later_leaves_the_entry_in_memory(tmp_path, caplog):
    kept = journal(tmp_path / "j.jsonl")
    kept.path = tmp_path / "gone" / "j.jsonl"
    ended(kept)
    assert kept.verdict("r", "e").why == "it failed"
    assert "cannot be written" in caplog.text


def test_a_folder_that_is_not_there_is_named_and_not_made(tmp_path):
    """A misspelt path would begin every experiment anew."""
    with pytest.raises(EndpointError, match=r"/deap/j\.jsonl: No such file or directory$"):
        journal(tmp_path / "deap" / "j.jsonl")
    assert list(tmp_path.iterdir()) == []


def test_while_one_endpoint_holds_the_file_no_other_can(tmp_path):
    first, second = journal(tmp_path / "j.jsonl"), journal(tmp_path / "j.jsonl")
    with first.held():
        with pytest.raises(EndpointError, match=r"j\.jsonl: another endpoint writes it$"), second.held():
            pass
        began(first)
    with second.held():
        began(second)
    assert len(journal(tmp_path / "j.jsonl").entries("r")) == 2


def test_what_is_in_memory_alone_is_held_by_everybody():
    with journal().held(), journal().held():
        pass
