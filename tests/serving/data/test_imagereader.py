"""Images in batches: one shape, a given order, any batch to go on from."""

import random

import msgspec
import numpy as np
import pytest
from PIL import Image
from seeds import announced_seed

from windlass.serving.data import (
    DataProblem,
    ImageReader,
    ImageReading,
    Pictures,
    SchemaError,
    State,
    StateMismatch,
    Unreadable,
    digest_of_arrays,
)

SIZE = Pictures(4, 5)


@pytest.fixture
def paths(tmp_path):
    """Eleven images of their own sizes and one grey each."""
    found = []
    for number in range(11):
        path = tmp_path / f"{number:02d}.png"
        Image.new("L", (3 + number, 20 - number), number * 20).save(path)
        found.append(path)
    return found


def sequence(batches):
    return [digest_of_arrays(batch.table) for batch in batches]


def test_every_image_comes_once_in_one_size_with_its_place_among_the_paths(paths):
    """M3, P2."""
    batches = list(ImageReader(paths, SIZE, reading=ImageReading(4)).batches())
    assert [batch.table["image"].shape for batch in batches] == [(4, 4, 5, 3), (4, 4, 5, 3), (3, 4, 5, 3)]
    for batch in batches:
        for image, index in zip(batch.table["image"], batch.table["index"], strict=True):
            assert np.array_equal(image, np.full((4, 5, 3), index * 20))
    assert [index for batch in batches for index in batch.table["index"].tolist()] == list(range(11))


@pytest.mark.parametrize("shuffle", [False, True])
def test_from_any_batch_on_the_rest_is_the_same(paths, shuffle):
    """P4."""
    paths[5].write_bytes(b"no image")
    reading = ImageReading(2, on_bad="skip", shuffle=shuffle, seed=announced_seed() % 1000)
    whole = list(ImageReader(paths, SIZE, reading=reading).batches())
    for index, batch in enumerate(whole):
        state = msgspec.json.decode(msgspec.json.encode(batch.state), type=State)
        reader = ImageReader(paths, SIZE, reading=reading)
        assert sequence(reader.batches(state)) == sequence(whole)[index + 1 :]
        assert reader.ended.digest == whole[-1].state.digest


def test_the_order_follows_from_seed_and_epoch(paths):
    """P4."""
    reader = ImageReader(paths, SIZE, reading=ImageReading(11, shuffle=True, seed=1))
    orders = []
    for epoch in (0, 1, 0):
        (batch,) = reader.batches(reader.begin(epoch))
        orders.append(batch.table["index"].tolist())
    assert orders[0] == orders[2] != orders[1]
    assert sorted(orders[1]) == list(range(11))


def test_a_file_that_is_no_image_is_told_or_left_out_and_counted(paths):
    """P2, P6."""
    bad = random.Random(announced_seed()).randrange(11)
    paths[bad].write_bytes(paths[bad].read_bytes()[:30])
    with pytest.raises(Unreadable, match=f"{bad:02d}.png: not a PNG or JPEG that can be read"):
        list(ImageReader(paths, SIZE).batches())
    reader = ImageReader(paths, SIZE, reading=ImageReading(on_bad="skip"))
    (batch,) = reader.batches()
    assert batch.table["index"].tolist() == [index for index in range(11) if index != bad]
    steps = reader.lineage(reader.ended)["steps"]
    assert [(step["rows_in"], step["rows_out"]) for step in steps] == [(11, 10), (10, 10)]
    with pytest.raises(DataProblem, match="more than 0 files are no images"):
        list(ImageReader(paths, SIZE, reading=ImageReading(on_bad="skip", bad_max=0)).batches())


def test_what_cannot_be_meant_is_refused(paths):
    with pytest.raises(SchemaError, match="expected at least one file"):
        ImageReader([], SIZE)
    with pytest.raises(SchemaError, match="expected a height and a width"):
        ImageReader(paths, Pictures())
    with pytest.raises(SchemaError, match="batch_rows: expected at least 1, found 0"):
        ImageReading(0)
    state = ImageReader(paths, SIZE).begin()
    with pytest.raises(StateMismatch, match="the state belongs to"):
        next(ImageReader(paths[1:], SIZE).batches(state))
