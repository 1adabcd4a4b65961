import os
import socket
from pathlib import Path

import click
import pytest

from windlass.cli.folder import Folder


def test_everything_that_survives_lies_below_the_root(tmp_path):
    folder = Folder(tmp_path)

    assert {
        path.relative_to(tmp_path).as_posix()
        for path in (folder.kubeconfig, folder.database, folder.sample_table, folder.models, folder.request, folder.log)
    } == {"kubeconfig", "apiserver.db", "tables/digits", "models", "request.json", "windlass.log"}


def test_the_port_of_before_is_had_again_if_it_is_free(tmp_path):
    folder = Folder(tmp_path)
    assert folder.earlier_port() == 0, "there was none"
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        folder.port.write_text(str(port))
        assert folder.earlier_port() == 0
    assert folder.earlier_port() == port
    for text in ("", "many", "99999999"):
        folder.port.write_text(text)
        assert folder.earlier_port() == 0


def test_owning_makes_the_folder_and_its_parents(tmp_path):
    folder = Folder(tmp_path / "a" / "b")
    with folder.owned():
        assert folder.root.is_dir()


def test_a_second_owner_is_refused_until_the_first_has_gone(tmp_path):
    with Folder(tmp_path).owned():
        with pytest.raises(click.ClickException) as caught, Folder(tmp_path).owned():
            raise AssertionError("two owners")
        assert caught.value.message.startswith(f"--data {tmp_path}: another `windlass up` uses this folder")
    with Folder(tmp_path).owned():
        pass


def test_a_lock_file_left_by_a_dead_process_stands_in_nobodys_way(tmp_path):
    (tmp_path / "lock").write_text("4711")
    with Folder(tmp_path).owned():
        pass


@pytest.mark.parametrize("place", ["{tmp}/file", "{tmp}/file/below", "/proc/windlass"])
def test_a_root_that_cannot_be_made_is_named_with_the_systems_reason(place, tmp_path):
    (tmp_path / "file").touch()
    root = Path(place.format(tmp=tmp_path))
    with pytest.raises(click.ClickException) as caught, Folder(root).owned():
        raise AssertionError("owned")
    assert caught.value.message.startswith(f"--data {root}: ")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written_is_named(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(click.ClickException, match="Permission denied"), Folder(tmp_path).owned():
        raise AssertionError("owned")
