"""One piece of code turns files of images into tensors, in training and behind the endpoint, and its digest proves it.

Pixels are decoded by the rules of `images.py`, brought to one size, and standardised by channel. The digest covers
sizes and statistics, and what this code, with the library that it decodes with, makes of a picture that it draws
itself: where another version resizes differently the digest is another one, and a server refuses (skew).

    {"pictures": {...}, "mean": [r, g, b], "deviation": [r, g, b], "layout": "NHWC", "digest": "<hex>"}
"""

import io
from collections.abc import Iterable
from functools import cached_property
from typing import Literal

import attrs
import msgspec
import numpy as np
import numpy.typing as npt

from windlass.serving.data.digests import digest_of, digest_of_arrays
from windlass.serving.data.errors import LibraryMissing, SchemaError, Skew
from windlass.serving.data.fitting import Sums
from windlass.serving.data.images import Pictures, decode_image
from windlass.serving.data.schema import Table

__all__ = ("ImagePipeline",)

Channels = tuple[float, float, float]


class _Document(msgspec.Struct, kw_only=True):
    pictures: Pictures
    mean: Channels
    deviation: Channels
    layout: Literal["NHWC", "NCHW"]
    digest: str


_DOCUMENT = msgspec.json.Decoder(_Document)


@attrs.frozen(eq=False, slots=False)
class ImagePipeline:
    """What images become: FP32, standardised by `mean` and `deviation` of each channel, in this `layout`.

    Raises SchemaError without a size, or for a deviation that is not above 0.
    """

    pictures: Pictures
    mean: Channels = (0.0, 0.0, 0.0)
    deviation: Channels = (255.0, 255.0, 255.0)
    layout: Literal["NHWC", "NCHW"] = "NHWC"

    def __attrs_post_init__(self) -> None:
        if self.pictures.height == 0:
            raise SchemaError("pictures: expected a height and a width")
        if not all(0 < one < float("inf") for one in self.deviation):
            raise SchemaError(f"deviation: expected three finite numbers above 0, found {list(self.deviation)}")

    def __repr__(self) -> str:
        return f"<ImagePipeline {self.pictures.height}x{self.pictures.width} {self.layout} {self.digest[:12]}>"

    @classmethod
    def fitted(
        cls, pictures: Pictures, tables: Iterable[Table], *, layout: Literal["NHWC", "NCHW"] = "NHWC"
    ) -> "ImagePipeline":
        """With the mean and deviation of the `image` of these tables, which should be of the training split alone."""
        sums = [Sums() for _ in range(3)]
        for table in tables:
            for channel, found in enumerate(sums):
                found.add(table["image"][..., channel].astype(np.float64).ravel())
        if sums[0].n == 0:
            raise SchemaError("there is no image to fit on")
        mean, deviation = zip(*(found.learned() for found in sums), strict=True)
        return cls(pictures, mean, deviation, layout)

    @cached_property
    def shape(self) -> tuple[int, ...]:
        """The shape of what comes out, with -1 for the rows."""
        height, width = self.pictures.height, self.pictures.width
        return (-1, height, width, 3) if self.layout == "NHWC" else (-1, 3, height, width)

    @cached_property
    def digest(self) -> str:
        """Of sizes, statistics and layout, and of what this code makes of a picture that it draws."""
        settings = {"pictures": attrs.asdict(self.pictures), "layout": self.layout}
        statistics = {"mean": self.mean, "deviation": self.deviation}
        witness = digest_of_arrays({"image": self.transform(self.decode([self.example()]))})
        return digest_of({**settings, **statistics, "witness": witness})

    @staticmethod
    def example() -> bytes:
        """A file that can be decoded: the picture that the digest is made with."""
        return _drawn()

    def decode(self, contents: Iterable[bytes]) -> npt.NDArray[np.uint8]:
        """The pixels of files, rows by height by width by 3. Raises Unreadable naming the row."""
        images = [decode_image(one, self.pictures, where=f"row {row}") for row, one in enumerate(contents)]
        return np.stack(images) if images else np.empty((0, self.pictures.height, self.pictures.width, 3), np.uint8)

    def transform(self, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """The tensor of pixels as `decode` and `ImageReader` make them."""
        mean, deviation = np.array(self.mean, dtype=np.float32), np.array(self.deviation, dtype=np.float32)
        standard: npt.NDArray[np.float32] = (images.astype(np.float32) - mean) / deviation
        return standard if self.layout == "NHWC" else np.ascontiguousarray(standard.transpose(0, 3, 1, 2))

    def to_json(self) -> bytes:
        """The document; the same bytes for the same pipeline."""
        document = _Document(
            pictures=self.pictures,
            mean=self.mean,
            deviation=self.deviation,
            layout=self.layout,
            digest=self.digest,
        )
        return msgspec.json.encode(document, order="deterministic")

    @classmethod
    def from_json(cls, content: bytes, *, digest: str | None = None) -> "ImagePipeline":
        """The pipeline of a document. Raises SchemaError and Skew as `Pipeline.from_json` does."""
        try:
            found = _DOCUMENT.decode(content)
        except msgspec.DecodeError as error:
            raise SchemaError(f"the document is no pipeline of images: {error}") from error
        pipeline = cls(found.pictures, found.mean, found.deviation, found.layout)
        for said, by in ((found.digest, "its document"), (digest, "the model's description")):
            if said is not None and said != pipeline.digest:
                raise Skew(f"the pipeline is {pipeline.digest} here, but {by} says {said}")
        return pipeline


def _drawn() -> bytes:
    try:
        from PIL import Image  # noqa: PLC0415  (an extra)
    except ImportError as error:
        raise LibraryMissing("Pillow", extra="images") from error
    across, down = np.meshgrid(np.arange(61), np.arange(47))
    pixels = np.stack([across * 4, down * 5, (across * down) % 251], axis=2).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="PNG")
    return buffer.getvalue()
