"""One job in one line, for people and for programs."""

import json
import sys
from datetime import UTC, datetime
from pathlib import Path

import attrs
import pytest

from windlass.cli.job.listing import as_table
from windlass.cli.job.summary import age, line, summary_of, to_json
from windlass.informers.objects import Object

sys.path.insert(0, str(Path(__file__).parent))

from clusters import FAILED, RUNNING, SPEC, SUCCEEDED, condition

NOW = datetime(2026, 8, 1, 13, tzinfo=UTC)


def job(status, **metadata):
    meta = {"name": "digits", "namespace": "default", "uid": "u", "generation": 1, "resourceVersion": "1"}
    meta |= {"creationTimestamp": "2026-08-01T12:00:00Z", **metadata}
    return Object.parse(json.dumps({"metadata": meta, "spec": SPEC, "status": status}).encode())


def test_every_field_is_there_in_json_and_null_where_it_is_not_known():
    assert to_json(summary_of(job({}))) == {
        "namespace": "default", "name": "digits", "phase": "Pending", "reason": "", "message": "",
        "executor": "softmax", "attempt": None, "epoch": None, "epochs": None, "loss": None, "accuracy": None,
        "heldOutAccuracy": None, "gate": None, "model": None, "version": None, "promotion": None, "weight": None,
        "created": "2026-08-01T12:00:00Z", "ended": False,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("status", "said"),
    [
        ({}, "default/digits: Pending"),
        (RUNNING, "default/digits: Running  epoch 3/10  loss 0.2500  accuracy 0.900"),
        (SUCCEEDED, "default/digits: Succeeded  epoch 3/10  loss 0.2500  accuracy 0.900  held-out 0.950  model m:4"),
    ],
)
def test_a_line_says_what_is_known(status, said):
    assert line(summary_of(job(status))) == said


def test_a_line_says_why_a_job_failed_and_keeps_to_its_line():
    said = line(summary_of(job(FAILED)))

    assert said.endswith("TrainerFailed: it said \ufffd[31mno\ufffd[0m")


def test_a_job_that_waits_says_for_what():
    waiting = condition("DataVerified", "Unknown", "TableUnreachable", "no route to the store")
    status = {"observedGeneration": 1, "phase": "VerifyingData", "conditions": [condition("Accepted"), waiting]}

    assert line(summary_of(job(status))).endswith("VerifyingData  TableUnreachable: no route to the store")


def test_the_end_of_an_older_spec_is_no_end_of_the_newer_one():
    summary = summary_of(job(SUCCEEDED, generation=2))

    assert (summary.phase, summary.ended) == ("Pending", False)


@pytest.mark.parametrize("status", [{"phase": 3}, {"progress": "x"}, {"journal": [{"at": 1}]}])
def test_a_status_of_no_known_form_is_told_as_that(status):
    """One damaged job must not hide the others of a list."""
    summary = summary_of(job(status))

    assert (summary.phase, summary.reason, summary.ended) == ("Unknown", "StateCorrupt", False)


def test_a_table_is_as_wide_as_what_is_in_it():
    found = summary_of(job(SUCCEEDED))
    lines = as_table([found, attrs.evolve(found, name="x" * 60)], NOW, everywhere=True)

    assert lines[0].split() == [
        "NAMESPACE", "NAME", "PHASE", "EPOCH", "LOSS", "ACCURACY", "HELD-OUT", "MODEL", "WEIGHT", "AGE",
    ]  # fmt: skip
    assert lines[1].split() == ["default", "digits", "Succeeded", "3/10", "0.2500", "0.900", "0.950", "m:4", "-", "60m"]
    assert len({one.index("Succeeded") for one in lines[1:]}) == 1


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(-5, "0s"), (0, "0s"), (119, "119s"), (120, "2m"), (150, "2m30s"), (3600, "60m"), (7260, "2h1m"), (90_000, "25h"),
     (200_000, "2d7h"), (10_000_000, "115d")],
)  # fmt: skip
def test_an_age_is_short(seconds, said):
    assert age(seconds) == said
