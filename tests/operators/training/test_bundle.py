"""A bundle is what its listing says, or it is none."""

import json

import pytest

from windlass.operators.training.bundle import LISTING, bundle_sha256, close_bundle, files_of
from windlass.operators.training.files import sha256_of


def closed(path, *, extra=b"x"):
    temporary = path / ".made"
    (temporary / "inner").mkdir(parents=True)
    (temporary / "a.bin").write_bytes(b"abc")
    (temporary / "inner" / "b.bin").write_bytes(extra)
    return close_bundle(temporary, path / "bundle")


def test_equal_files_have_an_equal_digest_and_others_another(tmp_path):
    first, again, other = closed(tmp_path), closed(tmp_path), closed(tmp_path, extra=b"y")

    assert first == again != other
    assert other == bundle_sha256(tmp_path / "bundle") == sha256_of((tmp_path / "bundle" / LISTING).read_bytes())


def test_its_files_are_found_by_their_names(tmp_path):
    closed(tmp_path)

    found = files_of(tmp_path / "bundle")

    assert {name: path.read_bytes() for name, path in found.items()} == {"a.bin": b"abc", "inner/b.bin": b"x"}


@pytest.mark.parametrize("spoil", ["changed", "gone", "no listing", "no object", "outside", "no folder"])
def test_a_folder_that_is_not_what_it_lists_is_none(tmp_path, spoil):
    closed(tmp_path)
    folder = tmp_path / "bundle"
    listing = folder / LISTING
    if spoil == "changed":
        (folder / "a.bin").write_bytes(b"abd")
    elif spoil == "gone":
        (folder / "inner" / "b.bin").unlink()
    elif spoil == "no listing":
        listing.unlink()
    elif spoil == "no object":
        listing.write_text("[]")
    elif spoil == "outside":
        (tmp_path / "secret").write_bytes(b"s")
        entry = {"sha256": sha256_of(b"s"), "size": 1}
        listing.write_text(json.dumps({"files": {"../secret": entry}}))
    else:
        folder = tmp_path / "nothing"

    assert files_of(folder) is None
    assert (bundle_sha256(folder) is None) == (spoil in ("no listing", "no folder"))
