"""Settings are one frozen value with sane defaults."""

import attrs
import pytest

from windlass.controller.settings import Settings, utc_now


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
        {"field_manager": ""},
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
