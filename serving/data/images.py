"""An image becomes the same H x W x 3 bytes wherever it is decoded, or one clear error; it never fills the memory (P2).

The rules: PNG and JPEG alone, told by their content; the size is checked before anything is decoded; a file that is
cut off is refused; the orientation of EXIF is applied; transparency is laid on white; grey and palettes become three
channels; CMYK becomes RGB; of 16 bits the upper eight count. Resizing is bilinear over the whole area, to an exact
size. Other kinds of pixels (floats, 32 bits) are refused.
"""

import io
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import numpy.typing as npt

from windlass.serving.data.errors import LibraryMissing, SchemaError, Unreadable

__all__ = ("Pictures", "decode_image", "read_image")


@attrs.frozen
class Pictures:
    """What images are read into: `height` by `width` pixels, 0 and 0 for their own size.

    `pixels_max` bounds what is decoded, `bytes_max` the file; Pillow has a bound of its own, 178 956 970 pixels.

    Raises SchemaError for sizes that cannot be meant.
    """

    height: int = 0
    width: int = 0
    pixels_max: int = 64_000_000
    bytes_max: int = 64 * 1024 * 1024

    def __attrs_post_init__(self) -> None:
        if self.height < 0 or self.width < 0 or (self.height == 0) is not (self.width == 0):
            raise SchemaError(f"height and width: expected two sizes or 0 and 0, found {self.height} and {self.width}")
        if self.pixels_max < 1 or self.bytes_max < 1:
            raise SchemaError("pixels_max and bytes_max: expected at least 1")


def read_image(path: Path, pictures: Pictures | None = None) -> npt.NDArray[np.uint8]:
    """The pixels of a file. Raises what `decode_image` raises, and Unreadable when the file cannot be read."""
    pictures = pictures or Pictures()
    try:
        with path.open("rb") as file:
            content = file.read(pictures.bytes_max + 1)
    except OSError as error:
        raise Unreadable(f"{path} cannot be read: {error.strerror or error}") from error
    return decode_image(content, pictures, where=str(path))


def decode_image(
    content: bytes, pictures: Pictures | None = None, *, where: str = "the image"
) -> npt.NDArray[np.uint8]:
    """Pixels, uint8, height by width by red, green and blue. Synchronous.

    Raises Unreadable, which begins with `where`, for what is no such image, is cut off, or is too large.
    """
    pictures = pictures or Pictures()
    try:
        from PIL import Image  # noqa: PLC0415  (an extra)
    except ImportError as error:
        raise LibraryMissing("Pillow", extra="images") from error
    if len(content) > pictures.bytes_max:
        raise Unreadable(f"{where}: larger than {pictures.bytes_max} bytes")
    try:
        with Image.open(io.BytesIO(content), formats=("PNG", "JPEG")) as image:
            _check_size(image, pictures, where)
            return _pixels(image, pictures, where)
    except Unreadable:
        raise
    except Exception as error:
        # Its decoders raise whatever a damaged file leads them to: OSError, SyntaxError, struct.error, MemoryError.
        why = " ".join(str(error).split())[:200]
        raise Unreadable(f"{where}: not a PNG or JPEG that can be read: {why or type(error).__name__}") from error


def _check_size(image: Any, pictures: Pictures, where: str) -> None:
    width, height = image.size
    if width * height > pictures.pixels_max:
        raise Unreadable(f"{where}: {width} x {height} pixels are more than {pictures.pixels_max}")


def _pixels(image: Any, pictures: Pictures, where: str) -> npt.NDArray[np.uint8]:
    from PIL import Image, ImageOps  # noqa: PLC0415

    image.load()
    image = ImageOps.exif_transpose(image)
    if image.mode in ("I;16", "I;16L", "I;16B", "I"):
        image = _upper_bits(image, where)
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        colours = image.convert("RGBA")
        ground = Image.new("RGBA", colours.size, (255, 255, 255, 255))
        image = Image.alpha_composite(ground, colours)
    if image.mode == "F":
        raise Unreadable(f"{where}: its pixels are floats; expected 1, 8 or 16 bits")
    image = image.convert("RGB")
    if pictures.height:
        image = image.resize((pictures.width, pictures.height), Image.Resampling.BILINEAR)
    return np.array(image, dtype=np.uint8)


def _upper_bits(image: Any, where: str) -> Any:
    from PIL import Image  # noqa: PLC0415

    values = np.array(image).astype(np.int64)
    if values.size and (values.min() < 0 or values.max() > 0xFFFF):
        raise Unreadable(f"{where}: its pixels have 32 bits; expected 1, 8 or 16")
    return Image.fromarray((values >> 8).astype(np.uint8))
