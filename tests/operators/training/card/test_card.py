"""A card is made of the records alone, the same bytes each time, with every field that A13 asks for."""

import sqlite3

import attrs
import pytest
import yaml
from huggingface_hub import ModelCard
from hypothesis import given, settings
from hypothesis import strategies as st
from trainings import MODEL, run, training

from windlass.operators.errors import MetadataError
from windlass.operators.training.card.content import Card, card_of
from windlass.operators.training.card.escaping import visible
from windlass.operators.training.card.folder import card_files, write_card
from windlass.operators.training.card.markdown import page
from windlass.operators.training.metadata.recording import Confusion, Descriptions, model_id, records_of
from windlass.operators.training.metadata.records import Artifact, Batch, Event, Execution
from windlass.operators.training.metadata.store import MetadataStore

BARE = Card(name="x")
MODEL_ID = model_id("run0", MODEL)
HOSTILE = "x\"'\n---\nlicense: mit\n- [a](b) `c` | d : # {e} <!-- & \u202e\x00 \\"


@pytest.fixture
def store(tmp_path):
    return MetadataStore(tmp_path / "m.sqlite")


def written(store, tmp_path, **changes):
    store.record(records_of(training(**changes)))
    return write_card(store, MODEL_ID, tmp_path / "cards")


def files(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def section(text, title):
    return text.split(f"## {title}\n\n")[1].split("\n\n## ")[0]


def test_every_field_of_a13_is_on_the_page(store, tmp_path):
    text = written(store, tmp_path).read_text()

    data, trained = section(text, "Data"), section(text, "Training")
    assert "| URI | file:///data/digits |" in data
    assert "| Table id | t-1 |" in data
    assert "| Version | 3 |" in data
    assert f"| Digest of the files | {'f' * 64} |" in data
    assert "| Run id | run0 |" in trained
    assert "| Git commit | 2e8c218 |" in trained
    assert "| Image digest | Not provided |" in trained
    assert "| Hardware | 2 cores of x86\\_64 |" in trained
    assert "| Training time in seconds | 54.25 |" in trained
    assert "| Energy in joules | Not provided |" in trained
    assert "| Resumed from step | 120 |" in trained
    assert "| Started | 2026-11-27T12:00:05+00:00 |" in trained
    assert "| learningRate | 0.005 |" in section(text, "Hyperparameters")
    assert "| accuracy | 0.9845 |" in section(text, "Metrics")
    gate = section(text, "Validation gate")
    assert gate.startswith("**Passed.** 1 of 2 checks were required")
    assert "| robust | fgsm | yes | Passed | 0.069 | 0.2 | 318 | 22 of 318 rows were lost |" in gate
    assert "| drift | drift | no | Failed | 0.3 | 0.25 |" in gate
    assert section(text, "Limitations") == "Not provided"
    assert section(text, "Contact").strip() == "ml@example.com"
    assert "![Loss and accuracy by epoch](loss.svg)" in section(text, "Loss")
    assert "](confusion.svg)" in section(text, "Confusion matrix")


def test_what_was_not_recorded_is_said_to_be_not_provided(store, tmp_path):
    """A13: never omitted silently. Of a bare model nothing is known but its name; every other field is there."""
    store.record(Batch((Artifact("a-bare", "Model", "bare"),)))

    path = write_card(store, "a-bare", tmp_path / "cards")

    text = path.read_text()
    full = page(Card(name="x"))
    titles = [line for line in full.splitlines() if line.startswith("## ")]
    assert [line for line in text.splitlines() if line.startswith("## ")] == titles
    for title in ("Loss", "Confusion matrix", "Hyperparameters", "Validation gate", "Limitations", "Contact"):
        assert section(text, title).strip() == "Not provided"
    rows = [line for line in text.splitlines() if line.startswith("| ") and not line.startswith(("| ---", "| Field"))]
    assert [row for row in rows if not row.endswith("| Not provided |")] == ["| Name | bare |"]
    assert list(files(path.parent)) == ["README.md"]


def test_no_field_of_a_card_is_forgotten_by_the_page():
    """Each field by itself changes the page or a figure."""
    bare = card_files(BARE)
    examples = (77, "seventy", ("seven",), {"seven": 7})
    drawn_or_with_others = {"name", "curve", "checks", "gate_message", "confusion_labels", "confusion_counts"}
    for field in attrs.fields(Card):
        if field.name in drawn_or_with_others:
            continue
        fits = {"classes": 2, "bases": 2, "hyperparameters": 3, "metrics": 3, "gate_passed": 0}
        numbers = ("version", "rows", "attempt", "step", "seed", "seconds", "joules")
        example = examples[fits.get(field.name, 0 if field.name.endswith(numbers) else 1)]
        assert card_files(Card(name="x", **{field.name: example})) != bare, field.name


def test_a_card_made_again_is_the_same_to_the_byte(store, tmp_path):
    """A13: by another process's order of recording, too, and after other models were recorded."""
    first = files(written(store, tmp_path).parent)
    other = MetadataStore(tmp_path / "other.sqlite")
    other.record(records_of(training(run=run(id="run9"), uid="u-9")))
    batch = records_of(training())
    reordered = attrs.evolve(batch, artifacts=batch.artifacts[::-1], events=batch.events[::-1])
    other.record(reordered)

    again = write_card(other, MODEL_ID, tmp_path / "again")

    assert files(again.parent) == first
    assert set(first) == {"README.md", "loss.svg", "confusion.svg"}
    before = again.stat().st_mtime_ns
    write_card(other, MODEL_ID, tmp_path / "again")
    assert again.stat().st_mtime_ns == before


def test_a_card_that_was_half_written_is_completed(store, tmp_path):
    path = written(store, tmp_path)
    whole = files(path.parent)
    path.unlink()
    (path.parent / "loss.svg").write_text("torn")

    write_card(store, MODEL_ID, tmp_path / "cards")

    assert files(path.parent) == whole


def test_one_card_for_each_model_and_data(store, tmp_path):
    """A13."""
    one = written(store, tmp_path)
    store.record(records_of(training(run=run(id="run1"), uid="u-2")))
    two = write_card(store, model_id("run1", MODEL), tmp_path / "cards")

    assert one.parent != two.parent
    assert len(list((tmp_path / "cards").iterdir())) == 2


def test_a_model_made_of_a_model_names_it(store, tmp_path):
    store.record(records_of(training()))
    tuned, tuning = Artifact("a-tuned", "Model", "tuned"), Execution("e-tuning", "Train", "tuning", "COMPLETE")
    events = (Event("e-tuning", MODEL_ID, "INPUT", "base"), Event("e-tuning", "a-tuned", "OUTPUT"))
    store.record(Batch((tuned,), (tuning,), events=events))

    assert card_of(store, "a-tuned").bases == (f"digits ({MODEL})",)
    assert card_of(store, MODEL_ID).bases == ()


def test_an_unknown_model_has_no_card(store):
    store.record(records_of(training()))

    for unknown in ("a-nothing", records_of(training()).artifacts[0].id):
        with pytest.raises(MetadataError, match="no model is recorded under") as caught:
            card_of(store, unknown)
        assert caught.value.reason == "ModelNotRecorded"


def test_a_folder_that_cannot_be_written_is_worth_another_try(store, tmp_path):
    store.record(records_of(training()))
    (tmp_path / "cards").write_text("in the way")

    with pytest.raises(MetadataError) as caught:
        write_card(store, MODEL_ID, tmp_path / "cards")
    assert caught.value.retryable


# The front matter.


def test_the_usual_parser_reads_the_card(store, tmp_path):
    text = written(store, tmp_path).read_text()
    card = ModelCard(text)

    assert card.data.license == "apache-2.0"
    assert card.data.library_name == "onnx"
    assert card.data.tags == ["windlass", "softmax"]
    assert card.data.model_name == "digits"
    (result,) = card.data.eval_results
    assert (result.metric_type, result.metric_value, result.task_type) == ("accuracy", 0.9845, "tabular-classification")
    assert (result.dataset_type, result.dataset_name, result.dataset_revision) == ("delta", "file:///data/digits", "3")
    assert card.text.strip().startswith("# digits")


def front(text):
    return yaml.safe_load(text.split("---\n")[1])


@settings(max_examples=60)
@given(
    st.text(max_size=30)
    | st.sampled_from([HOSTILE, "null", "true", "1.0", "2026-11-27", "- a", "? b", "&a", "%x", "...", "---"])
)
def test_every_name_survives_the_parser_and_adds_no_key(name):
    usual = ModelCard(page(attrs.evolve(BARE, metrics={"accuracy": 0.5})))
    card = ModelCard(page(Card(name=name or "x", license=name or "x", executor=name or "x", metrics={"accuracy": 0.5})))

    assert card.data.model_name == visible(name or "x")
    assert card.data.license == visible(name or "x")
    assert card.data.tags == ["windlass", visible(name or "x")]
    assert set(card.data.to_dict()) == set(usual.data.to_dict())


def test_without_a_license_the_hub_is_told_so():
    assert front(page(BARE))["license"] == "unknown"


def test_a_hostile_training_gives_a_tame_card(store, tmp_path):
    told = Descriptions(
        description=HOSTILE, license=HOSTILE, limitations=HOSTILE, contact=HOSTILE, dataset_license=HOSTILE
    )
    hostile_run = run(
        hyperparameters={HOSTILE: HOSTILE, "n": [HOSTILE]}, hardware=HOSTILE, image=HOSTILE, executor=HOSTILE
    )
    confusion = Confusion((HOSTILE, "b"), ((1, 2), (3, 4)))
    model = attrs.evolve(training().model, name=HOSTILE, uri=HOSTILE, classes=(HOSTILE,))
    data = attrs.evolve(training().data, uri=HOSTILE)

    path = written(store, tmp_path, told=told, run=hostile_run, confusion=confusion, model=model, data=data)

    text = path.read_text()
    assert ModelCard(text).data.license == visible(HOSTILE)
    assert "\u202e" not in text
    assert "\x00" not in text
    assert text.count("\n---\n") == 1
    assert "<!--" not in text.split("\n---\n")[1].replace("\\<", "")
    titles = [line for line in page(BARE).splitlines() if line.startswith("## ")]
    assert [line for line in text.splitlines() if line.startswith("## ")] == titles


def test_nothing_in_the_file_but_records_decides(store, tmp_path):
    """No clock: the card of a copy of the store, made later and elsewhere, is the same."""
    first = written(store, tmp_path).read_bytes()
    copy = tmp_path / "elsewhere" / "copy.sqlite"
    copy.parent.mkdir()
    with sqlite3.connect(tmp_path / "m.sqlite") as source, sqlite3.connect(copy) as target:
        source.backup(target)

    assert write_card(MetadataStore(copy), MODEL_ID, tmp_path / "c").read_bytes() == first
