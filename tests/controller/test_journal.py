"""Transitions that were written to the server are in the file, with who, when, why and on which version."""

import json
from datetime import UTC, datetime

import pytest

from windlass.controller.journal import JournalFile
from windlass.statemachine import Machine
from windlass.statemachine.journal import Entry, from_json

AT = datetime(2026, 8, 1, tzinfo=UTC)
LAMP = Machine("lamp", initial="Dark", transitions=(("Dark", "press", "Lit"), ("Lit", "press", "Dark"),
                                                    ("Lit", "fall", "Dark")))  # fmt: skip


def read(path):
    return [from_json(json.loads(line)) for line in path.read_text().splitlines()]


def test_entries_are_appended_one_a_line(tmp_path):
    journal = JournalFile(tmp_path / "journal.jsonl")
    entries = [Entry(at=AT, source=str(number), target=str(number + 1), writer="ä") for number in range(3)]
    for entry in entries:
        journal.append(entry)

    assert read(journal.path) == entries


def test_the_file_is_bounded_and_the_one_before_is_kept(tmp_path):
    journal = JournalFile(tmp_path / "journal.jsonl", bytes_max=200)
    for number in range(20):
        journal.append(Entry(at=AT, source=str(number), target=str(number + 1)))

    files = sorted(tmp_path.iterdir())
    assert [file.name for file in files] == ["journal.jsonl", "journal.jsonl.1"]
    assert all(file.stat().st_size <= 200 for file in files)
    kept = [entry.source for file in reversed(files) for entry in read(file)]
    assert kept == [str(number) for number in range(20 - len(kept), 20)]


@pytest.mark.parametrize(
    ("before", "after", "move"),
    [
        ({}, {"phase": "Lit"}, ("Dark", "Lit", "press")),
        ({"phase": "Lit"}, {"phase": "Dark"}, ("Lit", "Dark", "")),
        ({"phase": "Lit"}, {"phase": "Gone"}, ("Lit", "Gone", "")),
    ],
)
def test_the_event_is_the_tables_if_the_table_has_exactly_one(tmp_path, before, after, move):
    journal = JournalFile(tmp_path / "j", {"Lamp": LAMP})

    assert journal.changed(before, after)
    assert journal.move("Lamp", before, after) == move


def test_of_a_kind_without_a_table_the_states_are_as_written(tmp_path):
    assert JournalFile(tmp_path / "j").move("Lamp", {}, {"phase": "Lit"}) == ("", "Lit", "")


@pytest.mark.parametrize(
    ("after", "generation"),
    [({}, 0), ({"observedGeneration": 3}, 3), ({"observedGeneration": 3, "lifeGeneration": 1}, 1)],
)
def test_a_state_belongs_to_the_generation_with_which_its_life_began(after, generation):
    assert JournalFile.generation(after) == generation
