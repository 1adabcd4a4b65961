"""The newest complete checkpoint of our own run is used, and nothing else ever (A7)."""

import json
import os

import attrs
import numpy as np
import pytest

from windlass.operators.training.checkpoints import KEEP, Checkpoint, Identity, load_newest, newest, save

OURS = Identity("run1", "data1", "config1")


def store(parent, step, *, identity=OURS, value=None):
    checkpoint = Checkpoint(parent / f"{step:010d}", step=step, epoch=step // 10, loss=1 / step, accuracy=0.5)
    save(checkpoint, {"weights": np.full(3, step if value is None else value)}, identity)
    return checkpoint


def test_there_may_be_none(tmp_path):
    assert newest(tmp_path / "checkpoints", OURS) == (None, ())
    assert load_newest(tmp_path / "checkpoints", OURS) == (None, ())


def test_the_newest_wins_and_reads_back_as_it_was(tmp_path):
    store(tmp_path, 9)
    last = store(tmp_path, 10)

    found, skipped = load_newest(tmp_path, OURS)

    assert (last, ()) == (found[0], skipped)
    assert found[1]["weights"].tolist() == [10.0, 10.0, 10.0]


def test_newest_is_by_number_not_by_name(tmp_path):
    store(tmp_path, 9)
    os.rename(tmp_path / f"{9:010d}", tmp_path / "9")
    store(tmp_path, 10)

    assert newest(tmp_path, OURS)[0].step == 10


def test_only_the_last_few_are_kept(tmp_path):
    for step in range(1, 10):
        store(tmp_path, step)

    assert [f"{step:010d}" for step in range(10 - KEEP, 10)] == sorted(os.listdir(tmp_path))


def truncate(folder):
    (folder / "arrays.npz").write_bytes((folder / "arrays.npz").read_bytes()[:-1])


def flip(folder):
    content = bytearray((folder / "arrays.npz").read_bytes())
    content[len(content) // 2] ^= 1
    (folder / "arrays.npz").write_bytes(content)


def edit(**changes):
    def apply(folder):
        manifest = json.loads((folder / "manifest.json").read_text())
        (folder / "manifest.json").write_text(json.dumps(manifest | changes))

    return apply


DAMAGE = {
    "a file is shorter": (truncate, "arrays.npz is not what manifest.json says"),
    "a bit is flipped": (flip, "arrays.npz is not what manifest.json says"),
    "a file is gone": (lambda folder: (folder / "arrays.npz").unlink(), "arrays.npz is missing"),
    "no manifest": (lambda folder: (folder / "manifest.json").unlink(), "manifest.json is missing or damaged"),
    "half a manifest": (lambda folder: (folder / "manifest.json").write_text('{"run":'), "missing or damaged"),
    "another run": (edit(run="run2"), "run is 'run2', expected 'run1'"),
    "other data": (edit(dataSha256="data2"), "dataSha256 is 'data2', expected 'data1'"),
    "other settings": (edit(configSha256="config2"), "configSha256 is 'config2', expected 'config1'"),
    "no files listed": (edit(files={}), "expected an object with an entry for each file"),
    "files of a strange shape": (edit(files={"arrays.npz": 3}), "manifest.json is damaged"),
    "a step of a strange type": (edit(step=None), "manifest.json is damaged"),
}


@pytest.mark.parametrize(("damage", "why"), DAMAGE.values(), ids=DAMAGE.keys())
def test_a_newer_one_that_is_not_complete_or_not_ours_is_skipped_and_reported(tmp_path, damage, why):
    store(tmp_path, 10)
    damage(store(tmp_path, 20).folder)

    found, (skipped,) = newest(tmp_path, OURS)

    assert found.step == 10
    assert why in skipped.why


@pytest.mark.parametrize("field", ["run", "data_sha256", "config_sha256"])
def test_a_checkpoint_of_another_identity_is_never_used(tmp_path, field):
    store(tmp_path, 10)

    found, skipped = newest(tmp_path, attrs.evolve(OURS, **{field: "other"}))

    assert found is None
    assert len(skipped) == 1


def test_what_a_killed_writer_left_is_not_a_checkpoint(tmp_path):
    store(tmp_path, 10)
    os.rename(store(tmp_path, 20).folder, tmp_path / ".0000000020.4711")

    assert newest(tmp_path, OURS)[0].step == 10


def test_a_damaged_one_is_replaced_when_its_step_comes_again(tmp_path):
    flip(store(tmp_path, 10).folder)

    store(tmp_path, 10, value=7)

    assert load_newest(tmp_path, OURS)[0][1]["weights"].tolist() == [7.0, 7.0, 7.0]


def test_the_same_arrays_give_the_same_file(tmp_path):
    one = store(tmp_path / "a", 10).folder / "arrays.npz"
    other = store(tmp_path / "b", 10).folder / "arrays.npz"

    assert one.read_bytes() == other.read_bytes()
