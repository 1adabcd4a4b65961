"""The options of `windlass run` are the settings of a manager, all of them, by their values."""

import attrs
import click
import pytest
from click.testing import CliRunner

from windlass.cli.main import windlass
from windlass.cli.run import command
from windlass.cli.settings import manager_options, settings_of
from windlass.controller import LeaderElection, Settings, Sharding, SupportedVersions


def settings(*arguments, environment=None):
    """What a command of these options makes of the arguments."""
    found = []

    @click.command(context_settings={"auto_envvar_prefix": "WINDLASS_RUN"})
    @manager_options
    def probe(**given):
        found.append(settings_of(given))

    outcome = CliRunner().invoke(probe, arguments, env=environment, catch_exceptions=False)
    return found[0] if found else outcome


# An option, its text, the settings' field and what it then says.
OPTIONS = {
    "workers": ("3", "workers", 3),
    "deadline-seconds": ("1.5", "deadline_seconds", 1.5),
    "probe-host": ("::1", "probe_host", "::1"),
    "probe-port": ("0", "probe_port", 0),
    "probe-token": ("secret", "probe_token", "secret"),
    "grace-seconds": ("0", "grace_seconds", 0.0),
    "connect-timeout-seconds": ("2", "connect_timeout_seconds", 2.0),
    "sync-timeout-seconds": ("3", "sync_timeout_seconds", 3.0),
    "contact-timeout-seconds": ("3", "contact_timeout_seconds", 3.0),
    "block-threshold-seconds": ("0", "block_threshold_seconds", 0.0),
    "field-manager": ("me", "field_manager", "me"),
    "leader-election-name": ("n", "leader_election.name", "n"),
    "leader-election-namespace": ("ns", "leader_election.namespace", "ns"),
    "leader-election-identity": ("i", "leader_election.identity", "i"),
    "sharding-name": ("n", "sharding.name", "n"),
    "sharding-namespace": ("ns", "sharding.namespace", "ns"),
    "sharding-member": ("m", "sharding.member", "m"),
    "sharding-drain-seconds": ("0", "sharding.drain_seconds", 0.0),
    "supported-lowest": ("any", "supported_versions.lowest", None),
    "supported-highest": ("1.40", "supported_versions.highest", "1.40"),
    "supported-policy": ("warn", "supported_versions.policy", "warn"),
}
TIMES = {"lease-seconds": ("30", 30), "renew-seconds": ("9", 9.0), "retry-seconds": ("1", 1.0)}
SWITCHES = ("--leader-election", "--sharding")


def field(value, path):
    for name in path.split("."):
        value = getattr(value, name)
    return value


def test_without_options_the_settings_are_the_defaults_of_the_library():
    assert settings() == Settings()


def test_election_and_sharding_are_off_unless_switched_on_and_have_names_of_their_own():
    found = settings(*SWITCHES)

    assert (found.leader_election, found.sharding) == (LeaderElection("windlass"), Sharding("windlass-shards"))
    assert settings("--no-leader-election", "--no-sharding") == Settings()


@pytest.mark.parametrize("option", OPTIONS)
def test_an_option_is_its_setting_and_changes_no_other(option):
    text, path, value = OPTIONS[option]
    given = settings(*SWITCHES, f"--{option}", text)
    first, _, second = path.partition(".")
    plain = settings(*SWITCHES)
    expected = attrs.evolve(getattr(plain, first), **{second: value}) if second else value

    assert field(given, path) == value
    assert given == attrs.evolve(plain, **{first: expected})


@pytest.mark.parametrize("option", TIMES)
def test_the_times_of_a_lease_are_those_of_election_and_sharding(option):
    text, value = TIMES[option]
    given = settings(*SWITCHES, f"--{option}", text)
    name = option.replace("-", "_")

    assert (getattr(given.leader_election, name), getattr(given.sharding, name)) == (value, value)


def test_what_a_manager_can_be_told_can_be_told_on_the_command_line():
    """All but the clock: a new setting needs an option, or a line here."""
    told = {path for _, path, _ in OPTIONS.values()} | {"dry_run", "event_series", "journal"}
    told |= {f"{part}.{name.replace('-', '_')}" for name in TIMES for part in ("leader_election", "sharding")}
    parts = {"leader_election": LeaderElection, "sharding": Sharding, "supported_versions": SupportedVersions}
    own = {one.name for one in attrs.fields(Settings)} - set(parts)
    deep = {f"{name}.{one.name}" for name, part in parts.items() for one in attrs.fields(part)}

    assert told == (own | deep) - {"clock"}
    assert settings("--dry-run", "--event-series") == Settings(dry_run=True, event_series=True)


@pytest.mark.parametrize("option", [*OPTIONS, *TIMES])
def test_an_option_can_be_given_by_the_environment(option):
    text = OPTIONS[option][0] if option in OPTIONS else TIMES[option][0]
    name = "WINDLASS_RUN_" + option.upper().replace("-", "_")

    assert settings(*SWITCHES, environment={name: text}) == settings(*SWITCHES, f"--{option}", text)


def test_switches_can_be_given_by_the_environment_and_the_command_line_goes_before_it():
    environment = {"WINDLASS_RUN_LEADER_ELECTION": "true", "WINDLASS_RUN_DRY_RUN": "1", "WINDLASS_RUN_PROBE_PORT": "1"}

    found = settings("--no-leader-election", "--probe-port", "2", environment=environment)
    assert (found.leader_election, found.dry_run, found.probe_port) == (None, True, 2)


def test_the_program_names_its_variables_by_command_and_option(monkeypatch):
    monkeypatch.setattr(command, "callback", lambda **given: seen.append((given["log_level"], given["operators"])))
    seen = []
    environment = {"WINDLASS_RUN_LOG_LEVEL": "error", "WINDLASS_RUN_OPERATORS": "a:one b:two"}
    CliRunner().invoke(windlass, ["run"], env=environment, catch_exceptions=False)

    assert seen == [("error", ("a:one", "b:two"))]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--workers", "0"], "--workers"),
        (["--deadline-seconds", "0"], "--deadline-seconds"),
        (["--grace-seconds", "-1"], "--grace-seconds"),
        (["--lease-seconds", "1.5"], "--lease-seconds"),
        (["--supported-policy", "ignore"], "--supported-policy"),
        (["--field-manager", ""], "--field-manager"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_value_out_of_range_is_refused_by_the_name_of_its_option(arguments, says):
    refused = settings(*arguments)

    assert refused.exit_code == 2
    assert says in refused.output


@pytest.mark.parametrize("value", ["nan", "inf"])
@pytest.mark.parametrize("option", [f"--{one}" for one in {**OPTIONS, **TIMES} if one.endswith("-seconds")])
def test_a_time_is_finite_and_its_option_is_named(option, value):
    outcome = settings(*SWITCHES, option, value)

    assert (outcome.exit_code, option in outcome.output) == (2, True), outcome.output
