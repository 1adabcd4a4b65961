"""What a queue knows of a job, read from the object itself."""

import attrs
import msgspec
import pytest
from training_jobs import NOW, PHASES, edited, job_in, new_job

from windlass.informers.keys import Key
from windlass.informers.objects import Object
from windlass.informers.typed import unstructure
from windlass.operators.training.queues.entries import Entries, Entry, entry_of


def obj(job, **metadata):
    """The object that the server has for this job."""
    body = unstructure(job)
    body["metadata"] = {**body["metadata"], **metadata}
    return Object.parse(msgspec.json.encode(body))


def test_an_entry_says_where_the_job_stands():
    job = edited(job_in("Queued"), queue="gpu", priority=3)

    assert Entry(
        key=job.key, uid="uid-1", queue="gpu", phase="Queued", priority=3, created="2026-01-01T00:00:00Z"
    ) == entry_of(obj(job, creationTimestamp="2026-01-01T00:00:00Z"))


def test_what_the_spec_leaves_out_is_the_default():
    found = entry_of(obj(new_job()))

    assert (found.queue, found.priority) == (new_job().spec.queue, new_job().spec.priority) == ("default", 0)


@pytest.mark.parametrize("phase", PHASES)
def test_a_job_waits_in_queued_and_holds_its_place_in_running(phase):
    entry = entry_of(obj(job_in(phase)))

    assert (phase == "Queued", phase == "Running") == (entry.waits, entry.holds)


@pytest.mark.parametrize("edit", [{"suspend": True}, {"cancel": True}])
def test_a_job_that_leaves_does_not_wait_but_holds_its_place_until_its_trainer_is_gone(edit):
    assert not entry_of(obj(edited(job_in("Queued"), **edit))).waits
    assert entry_of(obj(edited(job_in("Running"), **edit))).holds


def test_a_job_that_is_being_deleted_does_not_wait_but_holds_its_place():
    deleted = {"deletionTimestamp": f"{NOW:%Y-%m-%dT%H:%M:%SZ}"}

    assert not entry_of(obj(job_in("Queued"), **deleted)).waits
    assert entry_of(obj(job_in("Running"), **deleted)).holds


def test_a_place_is_one_of_the_queue_that_gave_it_whatever_the_spec_says_meanwhile():
    assert entry_of(obj(edited(job_in("Running"), queue="night"))).queue == "default"
    assert entry_of(obj(edited(job_in("Queued"), queue="night"))).queue == "night"


def test_an_object_that_is_no_job_is_in_no_queue():
    found = entry_of(Object.parse(b'{"metadata":{"name":"x","namespace":"d","uid":"u"},"spec":{"priority":"high"}}'))

    assert (found.queue, found.waits, found.holds) == ("", False, False)


def test_an_object_is_decoded_once_for_each_version():
    entries = Entries()
    one, other = obj(job_in("Queued"), resourceVersion="1"), obj(job_in("Running"), resourceVersion="2")

    first = entries.of([one])

    assert first[0] is entries.of([one])[0]
    assert entries.of([other])[0].holds
    assert entries.of([]) == []


def test_the_more_urgent_then_the_older_then_the_first_by_name_goes_before():
    base = Entry(new_job().key, "u", "default", "Queued", created="2026-01-01T00:00:00Z")
    urgent = attrs.evolve(base, priority=1, created="2026-02-01T00:00:00Z")
    younger = attrs.evolve(base, created="2026-01-01T00:00:01Z")
    twin = attrs.evolve(base, key=Key("default", "zz"))

    assert [urgent, base, twin, younger] == sorted([younger, twin, base, urgent], key=lambda one: one.rank)
