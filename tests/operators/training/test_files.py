"""Files appear whole or not at all."""

import os

import pytest

from windlass.operators.training.files import (
    canonical_json,
    decode_object,
    read_json,
    rename_folder,
    replace_file,
    sha256_of,
    write_durably,
)


def test_equal_values_give_equal_bytes_whatever_their_order():
    assert canonical_json({"b": 1, "a": [1, 2]}) == canonical_json({"a": [1, 2], "b": 1}) == b'{"a":[1,2],"b":1}'


def test_a_number_that_json_does_not_know_is_refused():
    with pytest.raises(ValueError, match="not JSON compliant"):
        canonical_json({"loss": float("nan")})


def test_replacing_leaves_the_new_content_and_no_litter(tmp_path):
    (tmp_path / "a").write_bytes(b"old")

    replace_file(tmp_path / "a", b"new")

    assert (tmp_path / "a").read_bytes() == b"new"
    assert os.listdir(tmp_path) == ["a"]


def test_a_write_that_fails_leaves_the_old_file(tmp_path, monkeypatch):
    (tmp_path / "a").write_bytes(b"old")
    monkeypatch.setattr(os, "fsync", lambda handle: (_ for _ in ()).throw(OSError("disk full")))

    with pytest.raises(OSError, match="disk full"):
        replace_file(tmp_path / "a", b"new")

    assert (tmp_path / "a").read_bytes() == b"old"


def test_a_folder_is_not_renamed_over_one_with_something_in_it(tmp_path):
    for name in ("new", "old"):
        (tmp_path / name).mkdir()
        write_durably(tmp_path / name / "file", name.encode())

    with pytest.raises(OSError, match="not empty"):
        rename_folder(tmp_path / "new", tmp_path / "old")

    assert (tmp_path / "old" / "file").read_bytes() == b"old"


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"3", b"\xff"])
def test_what_is_not_a_json_object_is_none(tmp_path, content):
    (tmp_path / "a").write_bytes(content)

    assert decode_object(content) is None
    assert read_json(tmp_path / "a") is None


def test_a_missing_file_is_none(tmp_path):
    assert read_json(tmp_path / "none") is None
    assert read_json(tmp_path / "none" / "deeper") is None


def test_digests_are_lower_case_hexadecimal():
    assert sha256_of(b"") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
