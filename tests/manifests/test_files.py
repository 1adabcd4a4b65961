"""Generated files: written whole, compared line by line."""

import attrs
import pytest

from windlass.informers.typed import CustomResource
from windlass.manifests import Drift, InvalidKind, crd, drift, kind, to_yaml, write
from windlass.manifests.files import check, render


def declare(name, group="example.com", default=1):
    cls = attrs.make_class(
        name, {"size": attrs.field(type=int, default=default)}, bases=(CustomResource,), frozen=True, kw_only=True
    )
    return kind(f"{group}/v1")(cls)


APPLE, PEAR = declare("Apple"), declare("Pear")


def test_each_kind_has_a_file_of_its_group_and_plural():
    assert render([PEAR, APPLE]) == {
        "example.com_apples.yaml": to_yaml([crd(APPLE)]),
        "example.com_pears.yaml": to_yaml([crd(PEAR)]),
    }


def test_two_classes_of_one_definition_are_refused():
    with pytest.raises(InvalidKind, match=r"another class for apples\.example\.com"):
        render([APPLE, declare("Apple")])


def test_write_makes_the_folder_and_says_what_it_wrote(tmp_path):
    folder = tmp_path / "deep" / "folder"

    assert write([APPLE, PEAR], folder) == [folder / "example.com_apples.yaml", folder / "example.com_pears.yaml"]
    assert (folder / "example.com_apples.yaml").read_text() == to_yaml([crd(APPLE)])
    assert drift([APPLE, PEAR], folder) == []


def test_write_leaves_files_that_are_right_alone(tmp_path):
    write([APPLE], tmp_path)
    before = (tmp_path / "example.com_apples.yaml").stat().st_mtime_ns

    assert write([APPLE], tmp_path) == []
    assert (tmp_path / "example.com_apples.yaml").stat().st_mtime_ns == before


def test_files_can_be_read_by_everyone(tmp_path):
    (path,) = write([APPLE], tmp_path)

    assert path.stat().st_mode & 0o777 == 0o644


def test_a_write_that_fails_leaves_the_old_file_and_no_other(tmp_path, monkeypatch):
    (path,) = write([APPLE], tmp_path)
    monkeypatch.setattr("os.fsync", lambda _: (_ for _ in ()).throw(OSError("the disk is full")))

    with pytest.raises(OSError, match="the disk is full"):
        write([declare("Apple", default=2)], tmp_path)

    assert path.read_text() == to_yaml([crd(APPLE)])
    assert list(tmp_path.iterdir()) == [path]


def test_a_missing_file_is_a_difference(tmp_path):
    assert drift([APPLE], tmp_path) == [f"{tmp_path}/example.com_apples.yaml: missing"]


def test_a_missing_folder_is_a_difference(tmp_path):
    assert drift([APPLE], tmp_path / "none") == [f"{tmp_path}/none/example.com_apples.yaml: missing"]


def test_each_line_that_differs_is_named_file_first(tmp_path):
    write([declare("Apple", default=2)], tmp_path)

    assert drift([APPLE], tmp_path) == [
        f"{tmp_path}/example.com_apples.yaml: -            default: 2",
        f"{tmp_path}/example.com_apples.yaml: +            default: 1",
    ]


def test_line_endings_count(tmp_path):
    (path,) = write([APPLE], tmp_path)
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))

    assert drift([APPLE], tmp_path) == [f"{path}: line endings differ"]


def test_a_generated_file_that_no_kind_accounts_for_is_a_difference(tmp_path):
    write([APPLE, PEAR], tmp_path)
    (tmp_path / "by_hand.yaml").write_text("# mine\n")

    assert drift([APPLE], tmp_path) == [f"{tmp_path}/example.com_pears.yaml: no kind generates this file any more"]


def test_check_raises_with_every_difference_and_the_remedy(tmp_path):
    with pytest.raises(Drift) as caught:
        check([APPLE, PEAR], tmp_path)

    assert len(caught.value.differences) == 2
    assert str(caught.value).endswith("run `make crds` (or `windlass crd generate --folder …`) and commit the result")
    write([APPLE], tmp_path)
    check([APPLE], tmp_path)
