"""What Kueue's Workload says of an object that waits, and which queue stands on record."""

import msgspec
import pytest
from queue_jobs import job

from windlass.informers import Object
from windlass.operators.training.queues.kueue import (
    local_queue_in,
    local_queue_of,
    on_record,
    understood,
    why_it_waits,
)
from windlass.operators.training.queues.places import Admitted, Places, Standing
from windlass.operators.training.types import Workload

QUEUE = "Kueue, LocalQueue team: "


def workload(**conditions):
    told = [
        {"type": kind, "status": status, "reason": reason, "message": message}
        for kind, (status, reason, message) in conditions.items()
    ]
    return {"status": {"conditions": told}}


def test_a_job_names_its_local_queue_by_the_label_that_kueue_reads():
    assert local_queue_of(Workload(labels={"kueue.x-k8s.io/queue-name": "team", "team": "x"})) == "team"
    assert (local_queue_of(Workload()), local_queue_of(None)) == ("", "")


def test_what_stands_on_record_is_told_from_a_queue_of_ours():
    assert local_queue_in(on_record("team")) == "team"
    assert local_queue_in("team") == local_queue_in("") == ""


@pytest.mark.parametrize(
    ("served", "version"),
    [(["v1beta1", "v1beta2"], "v1beta2"), (["v1beta1"], "v1beta1"), (["v2"], ""), ([], "")],
    ids=["both", "older", "unknown", "none"],
)
def test_the_newest_version_that_both_know_is_used(served, version):
    assert understood(served) == version


SHORT = ("False", "Pending", "insufficient unused quota")
RESERVED = ("True", "QuotaReserved", "Quota reserved")


@pytest.mark.parametrize(
    ("found", "why"),
    [
        (None, "there is no Workload of it yet"),
        ({}, "it has not been looked at yet"),
        (workload(QuotaReserved=SHORT), "Pending: insufficient unused quota"),
        (workload(QuotaReserved=RESERVED), "quota is reserved, its admission checks are not done"),
        (workload(QuotaReserved=RESERVED, Admitted=("True", "Admitted", "x")), "admitted, about to go on"),
        (workload(Evicted=("True", "Preempted", "for b")), "evicted, Preempted: for b"),
        (
            workload(Evicted=("True", "Preempted", "for b"), QuotaReserved=SHORT),
            "evicted, Preempted: for b; Pending: insufficient unused quota",
        ),
        (workload(Evicted=("True", "Preempted", "for b"), QuotaReserved=RESERVED), "evicted, Preempted: for b"),
        (workload(Evicted=("False", "QuotaReserved", "x"), QuotaReserved=SHORT), "Pending: insufficient unused quota"),
    ],
    ids=["none", "new", "short", "reserved", "admitted", "evicted", "evicted and waits", "stopping", "evicted once"],
)
def test_what_is_waited_for_is_told_in_the_words_of_the_conditions(found, why):
    assert why_it_waits(found, "team").startswith(QUEUE + why)


@pytest.mark.parametrize(("recorded", "place"), [("kueue.x-k8s.io/team", Admitted()), ("small", Standing(1, 1, 1))])
def test_a_job_that_kueue_admitted_takes_no_place_of_ours(recorded, place):
    running = msgspec.json.decode(job("a", "Running", age=2, queue="small").raw)
    running["status"]["run"] = {"queue": recorded}
    there = [Object.parse(msgspec.json.encode(running)), job("b", age=1, queue="small")]

    assert Places({"small": 1}).enter("uid-b", "small", there) == place
