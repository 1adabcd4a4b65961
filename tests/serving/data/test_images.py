"""Images: the same pixels whatever the file, and hostile files refused."""

import io
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from windlass.serving.data import Pictures, SchemaError, Unreadable, decode_image, read_image

RGB = np.arange(4 * 3 * 3, dtype=np.uint8).reshape(4, 3, 3) * 7


def encoded(pixels, kind="PNG", mode=None, **options):
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    if mode is not None:
        image = image.convert(mode)
    buffer = io.BytesIO()
    image.save(buffer, format=kind, **options)
    return buffer.getvalue()


def test_pixels_are_height_by_width_by_three():
    """P2."""
    found = decode_image(encoded(RGB))
    assert (found.shape, found.dtype) == ((4, 3, 3), np.uint8)
    assert np.array_equal(found, RGB)


def test_grey_and_palettes_become_three_channels():
    """P2."""
    grey = np.array([[0, 128, 255]], dtype=np.uint8)
    assert decode_image(encoded(grey)).tolist() == [[[0] * 3, [128] * 3, [255] * 3]]
    assert np.array_equal(
        decode_image(encoded(RGB, mode="P")), np.array(Image.fromarray(RGB).convert("P").convert("RGB"))
    )
    assert decode_image(encoded(Image.new("1", (2, 1), 1))).tolist() == [[[255] * 3] * 2]


def test_transparency_is_laid_on_white():
    """P2."""
    pixels = np.array([[[10, 20, 30, 255], [10, 20, 30, 0], [0, 0, 0, 128]]], dtype=np.uint8)
    assert decode_image(encoded(pixels)).tolist() == [[[10, 20, 30], [255, 255, 255], [127, 127, 127]]]
    keyed = Image.new("RGB", (1, 1), (1, 2, 3))
    assert decode_image(encoded(keyed, transparency=(1, 2, 3))).tolist() == [[[255, 255, 255]]]


def test_of_sixteen_bits_the_upper_eight_count():
    """P2."""
    pixels = np.array([[0x0000, 0x00FF, 0x1234, 0xFFFF]], dtype=np.uint16)
    assert decode_image(encoded(pixels))[0, :, 0].tolist() == [0x00, 0x00, 0x12, 0xFF]


def test_cmyk_becomes_rgb():
    """P2: as Pillow converts it, compressed as well as possible."""
    found = decode_image(encoded(Image.new("CMYK", (8, 8), (0, 255, 255, 0)), "JPEG", quality=100))
    assert np.abs(found.astype(int) - [255, 0, 0]).max() <= 3


@pytest.mark.parametrize(
    ("orientation", "turned"),
    [
        (1, lambda a: a),
        (3, lambda a: a[::-1, ::-1]),
        (6, lambda a: np.rot90(a, 3)),
        (8, np.rot90),
        (2, lambda a: a[:, ::-1]),
    ],
)
def test_the_orientation_of_the_camera_is_applied(orientation, turned):
    """P2: EXIF."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    assert np.array_equal(decode_image(encoded(RGB, exif=exif)), turned(RGB))


def test_resizing_is_to_an_exact_size_and_the_same_each_time():
    """P2."""
    constant = np.full((9, 7, 3), 99, dtype=np.uint8)
    assert np.array_equal(decode_image(encoded(constant), Pictures(4, 5)), np.full((4, 5, 3), 99, dtype=np.uint8))
    halves = np.zeros((4, 4, 3), dtype=np.uint8)
    halves[:, 2:] = 200
    found = decode_image(encoded(halves), Pictures(2, 2))
    assert (found[:, 0].max() < 60, found[:, 1].min() > 140) == (True, True)
    assert np.array_equal(found, decode_image(encoded(halves), Pictures(2, 2)))


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def bomb(width, height):
    """A PNG that says it is huge and takes a few bytes."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 100)) + chunk(b"IEND", b"")
    )


JPEG = encoded(RGB, "JPEG")
PNG = encoded(RGB)

HOSTILE = [
    pytest.param(bomb(9_000, 9_000), "9000 x 9000 pixels are more than 64000000", id="bomb"),
    pytest.param(bomb(30_000, 30_000), "900000000 pixels|30000 x 30000 pixels", id="larger bomb"),
    pytest.param(bomb(2**31 - 1, 2**31 - 1), "not a PNG or JPEG that can be read|pixels are more than", id="overflow"),
    pytest.param(bomb(0, 5), "not a PNG or JPEG that can be read", id="no width"),
    pytest.param(bomb(100, 100), "not a PNG or JPEG that can be read", id="too few pixels"),
    pytest.param(PNG[: len(PNG) // 2], "not a PNG or JPEG that can be read", id="PNG cut off"),
    pytest.param(JPEG[: len(JPEG) // 2], "not a PNG or JPEG that can be read", id="JPEG cut off"),
    pytest.param(PNG[:40] + b"\xff" + PNG[41:], "not a PNG or JPEG that can be read", id="PNG damaged"),
    pytest.param(b"", "not a PNG or JPEG that can be read", id="empty"),
    pytest.param(b"age,city\n1,2\n", "not a PNG or JPEG that can be read", id="a table"),
    pytest.param(encoded(RGB, "GIF"), "not a PNG or JPEG that can be read", id="GIF"),
    pytest.param(encoded(RGB, "BMP"), "not a PNG or JPEG that can be read", id="BMP"),
    pytest.param(encoded(Image.new("F", (2, 2)), "TIFF"), "not a PNG or JPEG that can be read", id="TIFF"),
]


@pytest.mark.parametrize(("content", "why"), HOSTILE)
def test_a_hostile_file_is_one_clear_error(content, why):
    """P2: bombs, cut off, other kinds."""
    with pytest.raises(Unreadable, match=why) as caught:
        decode_image(content, where="upload 7")
    assert str(caught.value).startswith("upload 7: ")
    assert "\n" not in str(caught.value)


@given(st.binary(max_size=200), st.integers(0, 60), st.sampled_from([PNG, JPEG]))
def test_damaged_bytes_are_pixels_or_one_kind_of_error(noise, place, whole):
    """P2: whatever a decoder raises."""
    damaged = whole[:place] + noise + whole[place + len(noise) :]
    try:
        found = decode_image(damaged, Pictures(pixels_max=1_000_000))
    except Unreadable:
        return
    assert found.dtype == np.uint8
    assert found.shape[2] == 3


def test_the_bounds_are_the_callers(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(PNG)
    assert np.array_equal(read_image(path), RGB)
    with pytest.raises(Unreadable, match=r"a.png: 3 x 4 pixels are more than 11"):
        read_image(path, Pictures(pixels_max=11))
    with pytest.raises(Unreadable, match=r"a.png: larger than 10 bytes"):
        read_image(path, Pictures(bytes_max=10))
    with pytest.raises(Unreadable, match=r"none.png cannot be read: No such file"):
        read_image(tmp_path / "none.png")


@pytest.mark.parametrize("sizes", [(1, 0), (0, 1), (-1, -1)])
def test_sizes_that_cannot_be_meant_are_refused(sizes):
    with pytest.raises(SchemaError, match="expected two sizes or 0 and 0"):
        Pictures(*sizes)
    with pytest.raises(SchemaError, match="expected at least 1"):
        Pictures(pixels_max=0)
