"""Images come in batches of one shape, in the order of seed and epoch, and from any batch on they are the same (P4).

Memory holds one batch. A state is how many files of the epoch's order are behind it.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import attrs
import msgspec
import numpy as np
import numpy.typing as npt

from windlass.serving.data.digests import chained, digest_of
from windlass.serving.data.errors import DataProblem, SchemaError, StateMismatch, Unreadable
from windlass.serving.data.images import Pictures, read_image
from windlass.serving.data.lineage import Counts, Step, lineage
from windlass.serving.data.reader import Batch, State

__all__ = ("ImageReader", "ImageReading")


@attrs.frozen
class ImageReading:
    """How image files are read. `batch_rows` is the size of every batch but the last of an epoch.

    `on_bad` says what a file that is no image does: `error` ends the reading, `skip` leaves it out; more than `bad_max`
    in one epoch are an error all the same. `shuffle` is by `seed` and epoch.
    """

    batch_rows: int = 32
    on_bad: Literal["error", "skip"] = "error"
    bad_max: int = 10_000
    shuffle: bool = False
    seed: int = 0

    def __attrs_post_init__(self) -> None:
        if self.batch_rows < 1:
            raise SchemaError(f"batch_rows: expected at least 1, found {self.batch_rows}")


class ImageReader:
    """Batches of images: `image`, uint8, rows by height by width by 3, and `index`, which of the paths each row is.

    Raises SchemaError without a path, or without a size that all images are brought to.
    """

    def __init__(self, paths: Sequence[Path], pictures: Pictures, *, reading: ImageReading | None = None) -> None:
        if not paths:
            raise SchemaError("expected at least one file, found none")
        if pictures.height == 0:
            raise SchemaError("pictures: expected a height and a width, which all images of a batch have")
        self.paths = tuple(paths)
        self.pictures = pictures
        self.reading = reading or ImageReading()
        self.ended: State | None = None
        names = [path.name for path in self.paths]
        settings = {"pictures": attrs.asdict(pictures), "reading": attrs.asdict(self.reading)}
        self.digest = digest_of({"files": names, **settings})

    def __repr__(self) -> str:
        return f"<ImageReader files={len(self.paths)} {self.digest[:12]}>"

    def begin(self, epoch: int = 0) -> State:
        """The state at the beginning of an epoch."""
        return State(of=self.digest, epoch=epoch)

    def batches(self, state: State | None = None) -> Iterator[Batch]:
        """The batches of an epoch, from a state on; those of epoch 0 by default.

        Raises StateMismatch for a state of something else, and Unreadable naming the file.
        """
        state = state if state is not None else self.begin()
        if state.of != self.digest:
            raise StateMismatch(
                f"the state belongs to {state.of[:12]}, but these files and their settings are {self.digest[:12]}"
            )
        images: list[npt.NDArray[np.uint8]] = []
        indices: list[int] = []
        order = self._order(state.epoch)
        for position in range(state.taken, len(order)):
            image = self._image(order[position])
            bad = state.counted.bad + (image is None)
            state = msgspec.structs.replace(state, taken=position + 1, counted=Counts(position + 1, bad))
            if bad > self.reading.bad_max:
                raise DataProblem(f"more than {self.reading.bad_max} files are no images that can be read")
            if image is not None:
                images.append(image)
                indices.append(order[position])
            if len(images) == self.reading.batch_rows:
                batch = _batch(images, indices, state)
                images, indices, state = [], [], batch.state
                yield batch
        if images:
            batch = _batch(images, indices, state)
            state = batch.state
            yield batch
        self.ended = state

    def lineage(self, state: State) -> dict[str, Any]:
        """What was read until the state, and what became of it (P6)."""
        good = state.counted.read - state.counted.bad
        steps = [Step("read", state.counted.read, good, "no images"), Step("batch", good, state.out)]
        return lineage([{"files": len(self.paths)}], steps, digest=state.digest)

    def _order(self, epoch: int) -> list[int]:
        if not self.reading.shuffle:
            return list(range(len(self.paths)))
        return [int(index) for index in np.random.default_rng((self.reading.seed, epoch)).permutation(len(self.paths))]

    def _image(self, index: int) -> npt.NDArray[np.uint8] | None:
        try:
            return read_image(self.paths[index], self.pictures)
        except Unreadable:
            if self.reading.on_bad == "error":
                raise
            return None


def _batch(images: list[npt.NDArray[np.uint8]], indices: list[int], state: State) -> Batch:
    table: dict[str, npt.NDArray[Any]] = {"image": np.stack(images), "index": np.array(indices, dtype=np.int64)}
    out = state.out + len(indices)
    return Batch(table, msgspec.structs.replace(state, out=out, digest=chained(state.digest, table)))
