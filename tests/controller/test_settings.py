"""Settings are one frozen value with sane defaults."""

import attrs
import pytest

from windlass.controller.election import LeaderElection
from windlass.controller.errors import ManagerError
from windlass.controller.settings import Settings, utc_now
from windlass.controller.sharding import Sharding


def test_probes_are_on_loopback_and_off_unless_asked_for():
    settings = Settings()
    assert (settings.probe_host, settings.probe_port) == ("127.0.0.1", None)
    assert (settings.grace_seconds, settings.sync_timeout_seconds, settings.field_manager) == (30.0, 120.0, "windlass")


@pytest.mark.parametrize(
    "wrong",
    [
        {"grace_seconds": -1.0},
        {"connect_timeout_seconds": 0.0},
        {"sync_timeout_seconds": 0.0},
        {"contact_timeout_seconds": 0.0},
        {"field_manager": ""},
        {"workers": 0},
        {"deadline_seconds": 0.0},
    ],
    ids=str,
)
def test_values_that_make_no_sense_are_refused(wrong):
    (name,) = wrong
    with pytest.raises(ValueError, match=name):
        Settings(**wrong)


def test_settings_are_a_value():
    assert attrs.evolve(Settings(), probe_port=0).probe_port == 0
    assert utc_now().utcoffset() is not None


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"dry_run": True, "leader_election": LeaderElection("a")}, "dry_run: a dry run holds no Lease"),
        ({"dry_run": True, "sharding": Sharding("a")}, "dry_run: a dry run holds no Lease"),
        (
            {"leader_election": LeaderElection("a"), "sharding": Sharding("a")},
            "leader_election and sharding: expected two names",
        ),
    ],
)
def test_settings_that_do_not_go_together_are_refused(settings, message):
    with pytest.raises(ManagerError, match=message):
        Settings(**settings).validate()


def test_one_name_in_two_namespaces_is_two_leases():
    Settings(leader_election=LeaderElection("a", "x"), sharding=Sharding("a", "y")).validate()
