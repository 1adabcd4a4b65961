"""A job's record as people read it: every part there is, damaged ones and unknown ones too."""

import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from windlass.cli.job.description import describe

sys.path.insert(0, str(Path(__file__).parent))

from clusters import FAILED, SPEC, SUCCEEDED

NOW = datetime(2026, 8, 1, 12, 5, tzinfo=UTC)
METADATA = {"namespace": "default", "name": "digits", "generation": 1}


def described(status, *, promotion=None, events=(), **metadata):
    job = {"metadata": METADATA | metadata, "spec": SPEC, "status": status}
    return "\n".join(describe(job, promotion, events, now=NOW))


def test_sections_that_have_nothing_to_say_are_left_out():
    assert described({}).splitlines() == [
        "default/digits: Pending", "", "Spec", "  data.uri       /data", "  executor       softmax",
        "  output.model   m",
    ]  # fmt: skip


def test_parts_that_this_version_does_not_know_are_shown():
    status = {"hardware": {"profile": "nvidia", "count": 8}, "attempts": [{"number": 1, "exitCode": 137}]}
    found = described(SUCCEEDED | status)

    assert "Hardware\n  profile        nvidia\n  count          8" in found
    assert "Attempts\n  number 1, exitCode 137" in found


def test_the_gate_says_what_it_checked_and_what_it_did_not_have_to():
    checks = [
        {"name": "robust", "outcome": "Passed", "message": "rate 0.1"},
        {"name": "same", "outcome": "Failed", "message": "drift 0.3", "required": False},
    ]
    found = described(SUCCEEDED | {"gate": {"passed": True, "message": "all of them", "checks": checks}})

    assert "Gate\n  passed: all of them\n  ✓ robust: rate 0.1\n  ✗ same (not required): drift 0.3" in found


def test_a_status_of_an_older_spec_is_named_as_that():
    assert "its spec has changed" in described(SUCCEEDED | {"observedGeneration": 1}, generation=2)


def test_of_many_events_the_last_are_shown_and_the_others_counted():
    events = [
        {"lastTimestamp": "2026-08-01T12:00:00Z", "type": "Normal", "reason": f"R{index}", "message": "m"}
        for index in range(25)
    ]
    found = described(SUCCEEDED, events=events)

    assert "  5 older ones\n" in found
    assert "     5m  Normal   R24  m" in found
    assert "R4 " not in found


def test_no_word_of_a_job_is_a_command_for_the_terminal():
    assert "\x1b" not in described(FAILED)


@pytest.mark.parametrize("status", [{"conditions": "x"}, {"journal": [3]}, {"gate": []}, {"run": None, "phase": 3}, []])
def test_a_damaged_status_can_be_looked_at(status):
    assert described(status).startswith("default/digits: ")
