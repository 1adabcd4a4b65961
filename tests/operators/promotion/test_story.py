"""Each transition is one Event, under a name that every teller finds again (D4)."""

from datetime import timedelta

import attrs
from promotions import NOW, Cluster, facts, made

from windlass.operators.promotion.decision import decide
from windlass.operators.promotion.story import tellings


def begun():
    promotion = made([(10, "0s")])
    sight = Cluster().follow().follow().sight(promotion)
    return attrs.evolve(promotion, status=decide(promotion, facts(sight=sight)).status)


def test_a_transition_is_told_with_its_reason_under_a_lasting_name():
    promotion = begun()
    (told,) = tellings(promotion, NOW)

    assert (told.reason, told.type) == ("Shifting", "Normal")
    assert told.message.startswith("Begun: from digits-predictor-00001")
    assert tellings(promotion, NOW + timedelta(minutes=9)) == (told,)


def test_what_servers_have_forgotten_is_not_told_again():
    assert tellings(begun(), NOW + timedelta(minutes=51)) == ()


def test_the_same_transition_twice_is_two_events():
    entry = begun().status.journal[0]
    status = attrs.evolve(begun().status, journal=(entry, attrs.evolve(entry, digest="sha256:" + "1" * 64)))
    first, second = tellings(attrs.evolve(begun(), status=status), NOW)

    assert first.dedupe != second.dedupe


def test_a_bad_end_is_a_warning():
    promotion = made([(10, "0s")], mode="Aborted")
    promotion = attrs.evolve(promotion, status=decide(promotion, facts()).status)

    assert [(one.reason, one.type) for one in tellings(promotion, NOW)] == [("Failed", "Warning")]
