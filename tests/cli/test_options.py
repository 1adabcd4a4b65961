import os
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from windlass.cli.options import (
    FILE,
    FOLDER,
    OBJECT,
    PORT,
    QUEUE,
    URI,
    URL,
    check_writable,
    each_queue_once,
    usable_kubeconfig,
)
from windlass.cli.run import command as run
from windlass.informers.errors import ConfigError


@click.command()
@click.option("--port", type=PORT, default=1)
@click.option("--folder", type=FOLDER)
@click.option("--file", type=FILE)
@click.option("--queue", "queues", type=QUEUE, multiple=True, callback=each_queue_once)
@click.option("--url", "urls", type=URL, multiple=True)
@click.option("--uri", "uris", type=URI, multiple=True)
@click.option("--object", "objects", type=OBJECT, multiple=True)
def command(port, folder, file, *, queues, urls, uris, objects):
    click.echo(repr((port, folder, file, *queues, *urls, *uris, *objects)))


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
        ("--url", "zzz"),
        ("--url", "ftp://metrics"),
        ("--url", "http://"),
        ("--url", "http://metrics:http"),
        ("--uri", "foo"),
        ("--uri", "/runs"),
        ("--uri", "s3:// "),
        ("--object", ""),
        ("--object", "Digits"),
        ("--object", "a..b"),
        ("--object", ".".join(["a" * 63] * 4) + ".b"),
    ],
)
def test_what_cannot_be_meant_is_refused_by_the_name_of_its_option(option, value):
    refused = invoke(option, value)

    assert refused.exit_code == 2
    assert f"Invalid value for '{option}'" in refused.output


def test_places_and_names_are_taken_as_they_are():
    given = ("http://metrics:9090/x", "s3://bucket/runs", "digits.v2")

    assert (
        invoke("--url", given[0], "--uri", given[1], "--object", given[2]).output
        == repr((1, None, None, *given)) + "\n"
    )


def test_a_queue_that_has_its_places_twice_is_refused():
    refused = invoke("--queue", "a=1", "--queue", "b=1", "--queue", "a=2")

    assert refused.exit_code == 2
    assert "Invalid value for '--queue': expected each queue once, found a 2 times" in refused.output


def test_every_option_of_run_has_the_variable_of_its_name():
    options = [one for one in run.params if isinstance(one, click.Option)]
    variables = {one.opts[0]: one.envvar or f"WINDLASS_RUN_{one.name.upper()}" for one in options}

    assert variables == {name: f"WINDLASS_RUN_{name[2:].replace('-', '_').upper()}" for name in variables}


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
