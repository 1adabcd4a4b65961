"""The table of a version's phases, W1."""

import pytest

from windlass.serving.model import LoadedModel
from windlass.serving.repository.catalogue import Catalogue
from windlass.serving.repository.phases import MACHINE, STATES
from windlass.serving.repository.plan import Found
from windlass.serving.runtimes.linear import LinearModel
from windlass.statemachine import IllegalTransition


def test_every_phase_has_a_word_of_the_protocol():
    assert set(STATES) == set(MACHINE.states)


@pytest.mark.parametrize("event", ["warmed", "drained", "evict", "retire"])
def test_what_cannot_happen_to_a_version_raises(event):
    """W1: illegal transitions raise."""
    with pytest.raises(IllegalTransition):
        Catalogue().move("m", Found(1), event)


def test_only_after_load_and_warm_up_is_a_version_ready():
    """W1, W5."""
    catalogue, found = Catalogue(), Found(1)
    states = []
    for event in ("load", "loaded", "warmed"):
        catalogue.move("m", found, event)
        states += [(entry.version, entry.state) for entry in catalogue.index()]
    # One that is ready is listed with its model, and here is none.
    assert states == [("1", "LOADING"), ("1", "LOADING")]
    loaded = LoadedModel("m", "1", LinearModel())
    catalogue.retire("m", found, loaded)
    assert [(entry.version, entry.state) for entry in catalogue.index()] == [("1", "UNLOADING")]
    del loaded
    assert catalogue.index() == []
