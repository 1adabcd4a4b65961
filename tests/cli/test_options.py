import os
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from windlass.cli.options import FILE, FOLDER, PORT, QUEUE, check_writable, usable_kubeconfig
from windlass.informers.errors import ConfigError


@click.command()
@click.option("--port", type=PORT, default=1)
@click.option("--folder", type=FOLDER)
@click.option("--file", type=FILE)
@click.option("--queue", "queues", type=QUEUE, multiple=True)
def command(port, folder, file, queues):
    click.echo(repr((port, folder, file, *queues)))


def invoke(*arguments):
    return CliRunner().invoke(command, arguments)


def test_paths_and_ports_come_out_as_such(tmp_path):
    given = invoke("--port", "0", "--folder", str(tmp_path), "--file", "no/such")

    assert given.output == repr((0, tmp_path, Path("no/such"))) + "\n"


def test_a_queue_is_a_name_and_a_number_of_places():
    given = invoke("--queue", "default=4", "--queue", "gpu=1")

    assert given.output == repr((1, None, None, ("default", 4), ("gpu", 1))) + "\n"


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--port", "65536"),
        ("--port", "-1"),
        ("--port", "http"),
        ("--port", ""),
        ("--port", "٣"),
        ("--port", "1e3"),
        ("--folder", ""),
        ("--file", ""),
        ("--file", "/"),
        ("--queue", "default"),
        ("--queue", "default=0"),
        ("--queue", "default=many"),
        ("--queue", "=4"),
        ("--queue", "Default=4"),
    ],
)
def test_what_cannot_be_meant_is_refused_by_the_name_of_its_option(option, value):
    refused = invoke(option, value)

    assert refused.exit_code == 2
    assert f"Invalid value for '{option}'" in refused.output


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "file").touch()

    assert "is a file" in invoke("--folder", str(tmp_path / "file")).output


def test_an_unusable_kubeconfig_is_wrong_usage():
    with pytest.raises(click.BadParameter, match="nothing there") as caught, usable_kubeconfig():
        raise ConfigError("nothing there")
    assert caught.value.exit_code == 2


def test_a_folder_that_can_be_made_and_written_is_left_as_it_was(tmp_path):
    check_writable(tmp_path, "--state")
    check_writable(tmp_path / "a" / "b", "--state")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_could_only_be_a_file_is_refused_by_the_name_of_its_option(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(click.BadParameter, match="file/below cannot be written: Not a directory") as caught:
        check_writable(tmp_path / "file" / "below", "--state")
    assert (caught.value.param_hint, caught.value.exit_code) == ("--state", 2)


def test_a_folder_of_somebody_elses_is_refused(tmp_path):
    tmp_path.chmod(0o500)
    us = os.geteuid()
    if us == 0:  # who may write everywhere
        os.seteuid(65534)
    try:
        with pytest.raises(click.BadParameter, match="cannot be written: Permission denied"):
            check_writable(tmp_path / "state", "--state")
    finally:
        os.seteuid(us)
        tmp_path.chmod(0o700)
