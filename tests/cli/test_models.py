"""What `windlass serve` may be told of its models."""

import json

import click
import pytest
from click.testing import CliRunner

from windlass.cli.models import model_options
from windlass.serving import Latest, RepositoryOptions


@click.command()
@click.option("--traffic")
@click.option("--traffic-api", is_flag=True)
@model_options
def told(traffic: str | None, traffic_api: bool, repository: RepositoryOptions) -> int:
    assert traffic is None or not traffic_api
    click.echo(repr(repository.versions))
    click.echo(
        json.dumps([repository.memory_bytes_max, list(repository.pinned), repository.autoload, repository.allow_code])
    )
    click.echo(f"{repository.cache.folder} {repository.cache.bytes_max}")
    return 0


def said(*arguments):
    result = CliRunner().invoke(told, arguments)
    return result.exit_code, result.output.splitlines()


def test_without_options_they_are_the_librarys():
    code, lines = said()
    assert (code, lines[:2]) == (0, [repr(Latest(1)), "[null, [], true, false]"])
    assert lines[2].endswith(f" {10 * 1024**3}")


@pytest.mark.parametrize("routed", [("--traffic", "routes.yaml"), ("--traffic-api",)])
def test_where_routes_may_name_versions_all_are_served_unless_said(routed):
    assert said(*routed)[1][0] == "'all'"
    assert said(*routed, "--versions", "2")[1][0] == repr(Latest(2))


def test_each_option_reaches_the_repository(tmp_path):
    code, lines = said(
        *("--versions", "all", "--memory-max", "500M", "--pinned", "a", "--pinned", "b"),
        *("--on-request", "--allow-code", "--cache", str(tmp_path), "--cache-max", "7K"),
    )
    assert (code, lines) == (0, ["'all'", f'[{500 << 20}, ["a", "b"], false, true]', f"{tmp_path} {7 << 10}"])


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("--versions", "0"), "expected 'all' or how many of the latest, found '0'"),
        (("--memory-max", "2T"), "expected a number of bytes such as 500M or 2G, found '2T'"),
        (("--cache-max", "0"), "found '0'"),
    ],
)
def test_a_wrong_value_is_wrong_usage(arguments, why):
    code, lines = said(*arguments)
    assert code == 2
    assert why in " ".join(lines)
