"""Who gets a place, by example; that there are never too many is in test_places_model."""

import pytest
from queue_jobs import job

from windlass.informers.keys import Key
from windlass.informers.store import Added, Deleted, Updated
from windlass.operators.training.queues.places import Admitted, Places, Standing, Unknown


def enter(places, one, *objects, queue="default"):
    return places.enter(one.uid, queue, objects)


def test_the_default_queue_has_no_limit_unless_it_is_given_one():
    assert not Places({}).limited("default")
    assert Places({"default": 1}).limited("default")
    assert Places({}).limited("night")


def test_a_queue_that_nobody_made_is_named_with_those_there_are():
    assert Unknown(("default", "gpu")) == enter(Places({"gpu": 1}), job("a"), job("a"), queue="night")


def test_jobs_are_admitted_while_there_are_places_and_then_stand_in_order():
    places, jobs = Places({"default": 2}), [job(name, age=20 - index) for index, name in enumerate("abcd")]

    answers = [enter(places, one, *jobs) for one in jobs]

    assert answers == [Admitted(), Admitted(), Standing(1, 2, 2), Standing(2, 2, 2)]


def test_a_younger_job_that_asks_first_does_not_overtake():
    old, young = job("old", age=9), job("young", age=1)
    places = Places({"default": 1})

    assert Standing(2, 0, 1) == enter(places, young, old, young)
    assert Admitted() == enter(places, old, old, young)


def test_the_more_urgent_goes_first_and_takes_no_place_away():
    running, old, urgent = job("running", "Running"), job("old", age=9), job("urgent", priority=5)
    places = Places({"default": 1})

    assert Standing(1, 1, 1) == enter(places, urgent, running, old, urgent)
    assert Standing(2, 1, 1) == enter(places, old, running, old, urgent)


def test_a_promise_counts_until_the_cache_shows_the_job_at_work_and_never_twice():
    a, b, c = job("a", age=9), job("b", age=8), job("c", age=7)
    places = Places({"default": 2})
    assert Admitted() == enter(places, a, a, b, c)

    assert Admitted() == enter(places, a, a, b, c), "who could not write it down asks again"
    assert Admitted() == enter(places, b, job("a", "Running", version=2), b, c)
    assert Standing(1, 2, 2) == enter(places, c, job("a", "Running", version=2), b, c)


@pytest.mark.parametrize("after", [{"phase": "Failed"}, {"suspend": True}, {"cancel": True}])
def test_a_promise_is_void_when_the_job_goes_elsewhere(after):
    a, b = job("a", age=9), job("b")
    places = Places({"default": 1})
    enter(places, a, a, b)

    elsewhere = job("a", after.pop("phase", "Queued"), version=2, age=9, **after)

    assert Admitted() == enter(places, b, elsewhere, b)


def test_a_promise_is_forgotten_when_the_job_has_left_the_door():
    """Or it would be kept to a job that comes back after it was suspended, before its elders."""
    a, b = job("a"), job("b", age=9)
    places = Places({"default": 1})
    enter(places, a, a)

    places.leave(a.uid)

    assert Standing(2, 0, 1) == enter(places, a, job("a", version=5), b)


def test_a_job_that_could_not_start_holds_nobody_up_until_it_asks():
    stuck, b = job("stuck", age=9), job("b")
    places = Places({"default": 1})
    assert Admitted() == enter(places, stuck, stuck, b)

    places.stand_aside(stuck.uid)

    assert Admitted() == enter(places, b, stuck, b)
    assert Standing(1, 1, 1) == enter(places, stuck, stuck, b)
    assert Admitted() == enter(places, stuck, stuck, job("b", "Succeeded", version=2))


def test_queues_do_not_stand_in_each_others_way():
    busy, night = job("busy", "Running"), job("n", queue="night")
    places = Places({"default": 1, "night": 1})

    assert Admitted() == enter(places, night, busy, night, queue="night")


def changes():
    running = job("r", "Running")
    yield "it ends", Updated(running, job("r", "Succeeded", version=2)), ["a"]
    yield "it is suspended", Updated(running, job("r", "Suspended", version=2)), ["a"]
    yield "it is gone", Deleted(running), ["a"]
    yield "it goes on", Updated(running, job("r", "Running", version=2)), []
    yield "a job that waited leaves", Updated(job("w"), job("w", version=2, cancel=True)), ["a"]
    yield "a job begins", Updated(job("r"), job("r", "Running", version=2)), []
    yield "a job comes", Added(job("r", "Running")), []
    yield "a job has validated", Updated(job("r", "Validating"), job("r", "Publishing", version=2)), []


@pytest.mark.parametrize(("change", "woken"), [one[1:] for one in changes()], ids=[one[0] for one in changes()])
def test_a_place_that_is_given_back_wakes_those_who_are_next(change, woken):
    places = Places({"default": 1})

    found = places.freed(change, lambda: [job("b"), job("a", age=9)])

    assert [Key("default", name) for name in woken] == found


def test_nobody_is_woken_where_there_is_no_limit():
    change = Updated(job("r", "Running"), job("r", "Succeeded", version=2))

    assert Places({}).freed(change, lambda: [job("a")]) == []
