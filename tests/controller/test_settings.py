"""Settings are one frozen value with sane defaults."""

import attrs
import pytest

from windlass.controller import Manager
from windlass.controller.election import LeaderElection
from windlass.controller.errors import ManagerError
from windlass.controller.retries import TokenBucket
from windlass.controller.settings import Settings, utc_now
from windlass.controller.sharding import Sharding
from windlass.controller.sources import Ticker
from windlass.informers import ConfigMap

TIMES = [field.name for field in attrs.fields(Settings) if field.name.endswith("_seconds")]


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
        *({"field_manager": name} for name in ("", "a" * 129, "ä" * 65, "a\nb", "a\u200bb")),
        {"workers": 0},
        {"deadline_seconds": 0.0},
        *({name: float(wrong)} for name in TIMES for wrong in ("nan", "inf")),
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
            "leader_election.name and sharding.name: expected two names",
        ),
    ],
)
def test_settings_that_do_not_go_together_are_refused(settings, message):
    with pytest.raises(ManagerError, match=message):
        Settings(**settings).validate()


def test_one_name_in_two_namespaces_is_two_leases():
    Settings(leader_election=LeaderElection("a", "x"), sharding=Sharding("a", "y")).validate()


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("name", ["lease_seconds", "renew_seconds", "retry_seconds", "drain_seconds"])
def test_times_of_a_lease_are_finite(name, value):
    """A comparison with NaN is false, and a pause of NaN seconds is none."""
    candidates = [Sharding("a", **{name: value})]
    if name != "drain_seconds":
        candidates.append(LeaderElection("a", **{name: value}))
    for candidate in candidates:
        with pytest.raises(ManagerError, match=f"{name}: expected "):
            candidate.validate()


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_numbers_of_a_controller_are_finite(value):
    with pytest.raises(ManagerError, match="a finite deadline_seconds"):
        Manager().controller(nothing, for_=ConfigMap, deadline_seconds=value)
    with pytest.raises(ValueError, match="a finite number of seconds"):
        Ticker(value, list)


def test_a_bucket_has_a_rate():
    with pytest.raises(ValueError, match="expects rate > 0"):
        TokenBucket(rate=float("nan"), burst=1)


async def nothing(ctx, request):
    """Reconciles by doing nothing."""
