"""What counts as a version folder."""

import pytest

from windlass.serving.repository.scan import scan, valid_name


def complete(folder):
    folder.mkdir(parents=True)
    (folder / "model.json").write_text("{}")


def test_only_complete_version_folders_are_found(tmp_path):
    complete(tmp_path / "digits" / "1")
    complete(tmp_path / "digits" / "12")
    complete(tmp_path / "digits" / ".13.partial")
    complete(tmp_path / "digits" / "latest")
    complete(tmp_path / "digits" / "0")
    complete(tmp_path / "digits" / "007")
    complete(tmp_path / ".trash" / "1")
    complete(tmp_path / "a:b" / "1")
    (tmp_path / "digits" / "14").mkdir()
    (tmp_path / "digits" / "15").write_text("a file")
    (tmp_path / "empty").mkdir()
    (tmp_path / "readme").write_text("a file")
    assert {"digits": {1, 12}} == {name: {one.version for one in found} for name, found in scan(tmp_path).items()}


def test_a_rewritten_description_gives_another_mark(tmp_path):
    complete(tmp_path / "digits" / "1")
    before = scan(tmp_path)
    assert before == scan(tmp_path)
    (tmp_path / "digits" / "1" / "model.json").write_text('{"longer": true}')
    assert before != scan(tmp_path)


def test_a_missing_root_raises(tmp_path):
    with pytest.raises(OSError, match="nowhere"):
        scan(tmp_path / "nowhere")


@pytest.mark.parametrize("name", ["digits", "a", "Model-2.5_x", "0"])
def test_good_names(name):
    assert valid_name(name)


@pytest.mark.parametrize("name", ["", ".hidden", "-x", "a/b", "a:predict", "a b", "ä", "a" * 129, "a\n"])
def test_names_that_would_not_fit_into_a_path_or_a_label(name):
    assert not valid_name(name)
