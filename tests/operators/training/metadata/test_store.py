"""A batch is kept whole or not at all, twice is once, and what contradicts a record is refused."""

import sqlite3
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from trainings import training

from windlass.operators.errors import MetadataError
from windlass.operators.training.metadata import store as module
from windlass.operators.training.metadata.recording import records_of
from windlass.operators.training.metadata.records import (
    Artifact,
    Association,
    Batch,
    Context,
    Event,
    Execution,
    record_id,
)
from windlass.operators.training.metadata.schema import MIGRATIONS, PROPERTIES, faults
from windlass.operators.training.metadata.store import MetadataStore

HERE = Path(__file__).parent
NOON = datetime(2026, 11, 27, 12, tzinfo=UTC)
MODEL = Artifact("a-1", "Model", "m", "file:///m", "5" * 64, NOON, {"version": 3, "classes": ["a", {"b": 1.5}]})
TRAIN = Execution("e-1", "Train", "t", "RUNNING", NOON, None, {"seconds": 1.5, "attempt": 1})


@pytest.fixture
def store(tmp_path):
    return MetadataStore(tmp_path / "deep" / "metadata.sqlite")


def dump(path):
    with sqlite3.connect(path) as db:
        return "\n".join(db.iterdump())


def refused(store, batch):
    with pytest.raises(MetadataError) as caught:
        store.record(batch)
    return caught.value


def test_what_is_recorded_is_read_back_as_it_was(store):
    context = Context("c-1", "Run", "r", {"runId": "r"})
    event, belongs = Event("e-1", "a-1", "OUTPUT", "model"), Association("c-1", "a-1")
    store.record(Batch((MODEL,), (TRAIN,), (context,), (event,), (belongs,)))

    assert store.artifact("a-1") == MODEL
    assert store.executions() == (TRAIN,)
    assert store.contexts() == store.contexts(member="a-1") == (context,)
    assert store.contexts(member="e-1") == ()
    assert store.events(artifact="a-1") == store.events(execution="e-1") == (event,)
    assert store.artifact("a-2") is None


def test_artifacts_are_found_by_type_and_digest(store):
    data = attrs.evolve(MODEL, id="a-0", type="Dataset", properties={})
    store.record(Batch((MODEL, data)))

    assert store.artifacts() == (data, MODEL)
    assert store.artifacts(type_="Model") == store.artifacts(type_="Model", digest="5" * 64) == (MODEL,)
    assert store.artifacts(type_="Model", digest="6" * 64) == ()


def test_recording_again_changes_not_one_byte_of_what_is_kept(store, tmp_path):
    batch = records_of(training())
    store.record(batch)
    before = dump(tmp_path / "deep" / "metadata.sqlite")

    store.record(batch)

    assert dump(tmp_path / "deep" / "metadata.sqlite") == before


@pytest.mark.parametrize(
    "changes",
    [
        {"uri": "file:///n"},
        {"digest": "6" * 64},
        {"properties": {"version": 4}},
        {"properties": {}},
        {"type": "Dataset", "properties": {}},
    ],
    ids=["uri", "digest", "a property", "fewer properties", "type"],
)
def test_an_artifact_never_changes(store, changes):
    store.record(Batch((MODEL,)))

    error = refused(store, Batch((attrs.evolve(MODEL, **changes),)))

    assert (error.reason, error.retryable) == ("MetadataConflict", False)
    assert store.artifact("a-1") == MODEL


def test_an_execution_changes_until_it_has_ended(store):
    store.record(Batch(executions=(TRAIN,)))
    done = attrs.evolve(TRAIN, state="COMPLETE", finished_at=NOON, properties={"attempt": 2})
    store.record(Batch(executions=(done,)))
    store.record(Batch(executions=(done,)))

    assert store.executions() == (done,)
    for change in (TRAIN, attrs.evolve(done, state="FAILED"), attrs.evolve(done, properties={"attempt": 3})):
        assert refused(store, Batch(executions=(change,))).reason == "MetadataConflict"
    assert store.executions() == (done,)


def test_of_a_batch_with_a_conflict_nothing_is_kept(store):
    store.record(Batch((MODEL,)))
    other = attrs.evolve(MODEL, id="a-2")

    refused(store, Batch((other, attrs.evolve(MODEL, uri="elsewhere"))))

    assert store.artifacts() == (MODEL,)


def test_an_event_between_what_is_not_there_is_refused_whole(store):
    error = refused(store, Batch((MODEL,), events=(Event("e-9", "a-1", "OUTPUT"),)))

    assert error.reason == "MetadataInvalid"
    assert "names a record that is not there" in str(error)
    assert store.artifacts() == ()


@pytest.mark.parametrize(
    ("batch", "said"),
    [
        (Batch((attrs.evolve(MODEL, type="Train"),)), "expected a type of Artifact, one of Card, Dataset"),
        (Batch((attrs.evolve(MODEL, name=""),)), "name: expected a text"),
        (Batch((attrs.evolve(MODEL, uri="x" * 16_385),)), "uri: expected a text of at most 16384"),
        (Batch((attrs.evolve(MODEL, name="\ud800"),)), "name: expected text that has an encoding"),
        (Batch((attrs.evolve(MODEL, properties={"versoin": 1}),)), "properties.versoin: unknown; a Model has version"),
        (Batch((attrs.evolve(MODEL, properties={"version": "3"}),)), "properties.version: expected a whole number"),
        (Batch((attrs.evolve(MODEL, properties={"version": True}),)), "properties.version: expected a whole number"),
        (Batch((attrs.evolve(MODEL, properties={"classes": {"x": float("nan")}}),)), "properties.classes: expected"),
        (Batch((attrs.evolve(MODEL, properties={"classes": ["x" * 262_144]}),)), "properties.classes: expected"),
        (Batch(executions=(attrs.evolve(TRAIN, properties={"seconds": float("inf")}),)), "expected a finite number"),
        (Batch(executions=(attrs.evolve(TRAIN, state="DONE"),)), "state: expected one of NEW, RUNNING"),
        (Batch(events=(Event("e-1", "a-1", "WROTE"),)), "type: expected one of INPUT, OUTPUT"),
        (Batch((MODEL,) * 10_001), "expected at most 10000 records in one batch, found 10001"),
    ],
)
def test_what_the_schema_does_not_know_is_refused_before_the_file_is_touched(store, tmp_path, batch, said):
    error = refused(store, batch)

    assert error.reason == "MetadataInvalid"
    assert said in str(error)
    assert not (tmp_path / "deep").exists()


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
OF_TYPE = {
    "string": st.text(max_size=40),
    "int": st.integers(-(2**63) + 1, 2**63 - 1),
    "double": st.floats(allow_nan=False, allow_infinity=False),
    "bool": st.booleans(),
    "struct": st.lists(JSON, max_size=3) | st.dictionaries(st.text(max_size=5), JSON, max_size=3),
}


@settings(max_examples=40)  # each is a file, forced to the disk twice
@given(st.data(), st.sampled_from(sorted(PROPERTIES["Train"])))
def test_every_value_of_a_property_comes_back_as_it_was(tmp_path_factory, data, name):
    value = data.draw(OF_TYPE[PROPERTIES["Train"][name]])
    store = MetadataStore(tmp_path_factory.mktemp("property") / "s.sqlite")
    made = attrs.evolve(TRAIN, properties={name: value})
    if list(faults(Batch(executions=(made,)))):  # lone surrogates
        return

    store.record(Batch(executions=(made,)))

    assert store.executions() == (made,)
    store.record(Batch(executions=(made,)))


def test_every_record_of_a_training_is_known_to_the_schema():
    assert list(faults(records_of(training()))) == []


def test_ids_follow_from_what_is_identified():
    assert record_id("artifact", "Model", "r", 1) == record_id("artifact", "Model", "r", 1)
    others = {
        record_id("artifact", "Model", "r", "1"),
        record_id("artifact", "Model", "r1"),
        record_id("context", "Run", "r", 1),
    }
    assert len(others | {record_id("artifact", "Model", "r", 1)}) == 4


# The file.


@pytest.mark.parametrize(
    "content", [b"not a database, but long enough to be one" * 40, b"\0" * 4096], ids=["text", "zeros"]
)
def test_a_file_that_is_no_database_is_said_to_be_none(tmp_path, content):
    path = tmp_path / "m.sqlite"
    path.write_bytes(content)

    with pytest.raises(MetadataError, match=r"m\.sqlite cannot be used") as caught:
        MetadataStore(path).artifacts()

    assert (caught.value.reason, caught.value.retryable) == ("MetadataCorrupt", False)
    assert path.read_bytes() == content


def test_somebody_elses_database_is_left_alone(tmp_path):
    path = tmp_path / "theirs.sqlite"
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE theirs (x)")
    before = path.read_bytes()

    with pytest.raises(MetadataError, match="is a database of something else"):
        MetadataStore(path).record(Batch((MODEL,)))

    assert path.read_bytes() == before


def test_a_newer_version_is_refused_and_left_as_it_is(store, tmp_path):
    store.record(Batch((MODEL,)))
    path = tmp_path / "deep" / "metadata.sqlite"
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA user_version = 99")

    with pytest.raises(
        MetadataError, match="has version 99 of the schema, and this program knows 1 and older"
    ) as caught:
        store.artifacts()

    assert caught.value.reason == "MetadataTooNew"


def test_an_older_version_is_brought_up_to_date_and_keeps_what_it_has(store, monkeypatch):
    store.record(Batch((MODEL,)))
    later = (*MIGRATIONS, ("ALTER TABLE artifacts ADD COLUMN note TEXT", "CREATE TABLE added (x)"))
    monkeypatch.setattr(module, "MIGRATIONS", later)

    assert store.artifact("a-1") == MODEL
    with store.reading() as db:
        assert db.execute("PRAGMA user_version").fetchone()[0] == 2
        assert db.execute("SELECT note FROM artifacts").fetchone()["note"] is None


def test_a_migration_that_fails_changes_nothing(store, monkeypatch, tmp_path):
    store.record(Batch((MODEL,)))
    path = tmp_path / "deep" / "metadata.sqlite"
    before = dump(path)
    monkeypatch.setattr(module, "MIGRATIONS", (*MIGRATIONS, ("CREATE TABLE added (x)", "nonsense")))

    with pytest.raises(MetadataError):
        store.artifacts()

    assert dump(path) == before


def test_a_folder_that_cannot_be_written_may_recover(tmp_path):
    (tmp_path / "file").write_text("in the way")

    with pytest.raises(MetadataError) as caught:
        MetadataStore(tmp_path / "file" / "m.sqlite").record(Batch((MODEL,)))

    assert (caught.value.reason, caught.value.retryable) == ("MetadataUnreachable", True)


# Other processes, and the end of this one.


def program(name, *arguments):
    command = [sys.executable, str(HERE.parent / "metadata_programs.py"), name, *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finished(process):
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    return out


def test_killed_before_any_statement_and_begun_again_the_end_is_the_same(tmp_path):
    """kill -9 between any two statements, migration included: what is found is all of a batch or nothing of it."""
    out = finished(program("kill-everywhere", tmp_path)).splitlines()

    statements = int(out[-1])
    assert statements > 40, "each statement of two batches was a place to be killed at"
    assert out[:-1] == ["same"] * statements


def test_two_processes_at_once_keep_everything_once(tmp_path):
    path = tmp_path / "m.sqlite"
    both = [program("record-many", path, start, 30) for start in (0, 15)]
    for process in both:
        finished(process)

    found = MetadataStore(path)

    assert len(found.artifacts(type_="Model")) == 45
    assert len(found.artifacts(type_="Dataset")) == 1
    assert len(found.events()) == 45 * 8
