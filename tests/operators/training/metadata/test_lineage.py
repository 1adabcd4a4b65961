"""What was made of what, in both directions, over any number of steps."""

import pytest
from trainings import MODEL, run, training

from windlass.operators.errors import MetadataError
from windlass.operators.training.metadata import lineage as module
from windlass.operators.training.metadata.lineage import downstream, upstream
from windlass.operators.training.metadata.recording import dataset_id, model_id, records_of
from windlass.operators.training.metadata.records import Artifact, Batch, Event, Execution
from windlass.operators.training.metadata.store import MetadataStore


@pytest.fixture
def store(tmp_path):
    return MetadataStore(tmp_path / "m.sqlite")


def test_upstream_of_a_model_are_its_run_and_its_data(store):
    """D6: upstream(model) ends at source datasets."""
    facts = training()
    store.record(records_of(facts))

    found = upstream(store, model_id("run0", MODEL))

    assert [one.id for one in found.artifacts] == [dataset_id(facts.data)]
    assert [one.type for one in found.executions] == ["Train"]
    assert {one.type for one in found.events} == {"INPUT", "OUTPUT"}


def test_downstream_of_data_are_all_runs_models_and_numbers(store):
    """D6: downstream(dataset@version)."""
    store.record(records_of(training()))
    store.record(records_of(training(run=run(id="run1"), uid="u-2")))

    found = downstream(store, dataset_id(training().data))

    assert len(found.of_type("Model")) == 2
    assert len(found.of_type("Metrics")) == 2
    assert sorted(one.type for one in found.executions) == ["Evaluate"] * 2 + ["Gate"] * 2 + ["Train"] * 2
    assert found.of_type("Dataset") == ()


def test_a_model_trained_from_a_model_reaches_back_to_the_first_data(store):
    facts = training()
    tuned = Artifact("a-tuned", "Model", "tuned")
    tuning = Execution("e-tuning", "Train", "tuning", "COMPLETE")
    first = model_id("run0", MODEL)
    events = (Event(tuning.id, first, "INPUT", "base"), Event(tuning.id, tuned.id, "OUTPUT"))
    store.record(records_of(facts))
    store.record(Batch((tuned,), (tuning,), events=events))

    found = upstream(store, "a-tuned")

    assert {one.id for one in found.artifacts} == {first, dataset_id(facts.data)}
    assert "a-tuned" in {one.id for one in downstream(store, dataset_id(facts.data)).artifacts}


def test_of_what_is_not_there_nothing_is_connected(store):
    found = upstream(store, "a-nothing")

    assert (found.artifacts, found.executions, found.events) == ((), (), ())


def test_a_circle_ends_the_search(store):
    one, two = Artifact("a-1", "Model", "one"), Artifact("a-2", "Model", "two")
    there, back = (Execution(f"e-{name}", "Train", name, "COMPLETE") for name in ("there", "back"))
    events = (
        Event("e-there", "a-1", "INPUT"),
        Event("e-there", "a-2", "OUTPUT"),
        Event("e-back", "a-2", "INPUT"),
        Event("e-back", "a-1", "OUTPUT"),
    )
    store.record(Batch((one, two), (there, back), events=events))

    assert [each.id for each in upstream(store, "a-1").artifacts] == ["a-2"]


def chain(store, length):
    """A model made of a model made of a model; each step an execution."""
    artifacts = tuple(Artifact(f"a-{index:05d}", "Model", f"m{index}") for index in range(length + 1))
    executions = tuple(Execution(f"e-{index:05d}", "Train", f"t{index}", "COMPLETE") for index in range(length))
    events = tuple(
        event
        for index in range(length)
        for event in (
            Event(f"e-{index:05d}", f"a-{index:05d}", "INPUT"),
            Event(f"e-{index:05d}", f"a-{index + 1:05d}", "OUTPUT"),
        )
    )
    store.record(Batch(artifacts, executions, events=events))


def test_long_ways_are_followed_to_their_end(store):
    chain(store, 1500)

    found = downstream(store, "a-00000")

    assert len(found.artifacts) == 1500
    assert len(found.executions) == 1500
    assert len(found.events) == 3000


def test_more_than_can_be_told_is_an_error(store, monkeypatch):
    chain(store, 30)
    monkeypatch.setattr(module, "LINEAGE_MAX", 20)

    with pytest.raises(MetadataError, match="more than 20 records are connected with a-00000"):
        downstream(store, "a-00000")
