"""A promotion belongs to the operator that wrote its status first; another decides nothing about it."""

from datetime import timedelta

import attrs
from promotions import NOW, Cluster, facts, made, metadata

from windlass.operators.promotion.decision import decide
from windlass.operators.promotion.facts import AddFinalizer, Apply, Look, ReleaseFinalizer, Wait
from windlass.operators.promotion.story import tellings

SEEN = Cluster().follow()
BEGUN = decide(made(), facts(operator="first", sight=SEEN.sight(made()))).status


def begun(**changes):
    found = made(status=BEGUN)
    return attrs.evolve(found, metadata=metadata(**changes))


def test_the_first_write_of_the_status_says_whose_it_is():
    assert (BEGUN.operator, BEGUN.phase) == ("first", "Shifting")


def test_a_promotion_that_only_waits_is_somebodys_too():
    noted = decide(made(mode="Paused"), facts(operator="first"))

    assert (noted.status.operator, noted.status.phase) == ("first", "Pending")


def test_later_writes_do_not_change_whose_it_is():
    noted = decide(made(mode="Paused"), facts(operator="first")).status
    found = attrs.evolve(made(status=noted), metadata=metadata(deletion_timestamp=NOW))

    taken_back = decide(found, facts(operator="second", now=NOW + timedelta(seconds=60))).status

    assert (taken_back.operator, taken_back.phase) == ("first", "Failed")


def test_another_neither_looks_nor_writes_nor_judges_by_its_own_settings():
    assert decide(begun(), facts(operator="second")) == Wait()
    assert decide(begun(), facts(operator="second", sight=SEEN.sight(begun()))) == Wait()
    assert decide(begun(finalizers=()), facts(operator="second")) == Wait()
    assert decide(begun(), facts(operator="first")) == Look()
    assert decide(begun(), facts(operator="first", sight=SEEN.sight(begun()))) == Apply()


def test_another_takes_it_back_a_minute_after_its_deletion():
    deleted = begun(deletion_timestamp=NOW)

    assert decide(deleted, facts(operator="second", now=NOW + timedelta(seconds=59))) == Wait(1.0)
    assert decide(deleted, facts(operator="second", now=NOW + timedelta(seconds=60))) == Look()


def test_what_has_ended_anybody_lets_go_of():
    ended = decide(made(mode="Aborted"), facts(operator="first")).status
    found = attrs.evolve(made(status=ended), metadata=metadata(deletion_timestamp=NOW))

    assert decide(found, facts(operator="second")) == ReleaseFinalizer()


def test_a_new_promotion_is_anybodys():
    found = attrs.evolve(made(), metadata=metadata(finalizers=()))

    assert decide(found, facts(operator="second")) == AddFinalizer()


def test_another_tells_why_it_does_nothing_and_of_an_end_nothing():
    (told,) = tellings(begun(), NOW, operator="second")
    ended = made(status=decide(made(mode="Aborted"), facts(operator="first")).status)

    assert (told.reason, told.dedupe) == ("WorkedElsewhere", "elsewhere/first/second")
    assert [one.reason for one in tellings(begun(), NOW, operator="first")] == ["Shifting"]
    assert tellings(ended, NOW, operator="second") == ()
