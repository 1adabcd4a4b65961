"""What an author leaves open, the settings decide; what cannot work is refused with everything that is wrong.

The refusals, one by one, are tested through the Manager (test_manager.py, test_manager_building.py).
"""

import pytest

from windlass.controller.assembly import Assembly, Wanted
from windlass.controller.election import LeaderElection
from windlass.controller.errors import DuplicateName, ManagerFaults
from windlass.controller.predicates import DEFAULT
from windlass.controller.scheme import Scheme
from windlass.controller.settings import Settings
from windlass.controller.sharding import Sharding
from windlass.informers.builtins import ConfigMap, Pod

ELECTION, SHARDING = LeaderElection("leader"), Sharding("shards")


async def nothing(ctx, request):
    """Reconciles by doing nothing."""


def spec(wanted=None, *, settings=None, claim=lambda _: None):
    assembly = Assembly(Scheme(), settings or Settings(), claim, lambda resource, key: None)
    return assembly.spec(wanted or Wanted(nothing, ConfigMap))


def test_what_is_left_open_is_as_the_settings_say():
    made = spec(settings=Settings(workers=3, deadline_seconds=7.0, sync_timeout_seconds=9.0))

    assert (made.name, made.workers, made.deadline_seconds, made.sync_timeout_seconds) == ("configmap", 3, 7.0, 9.0)
    assert [(watch.resource, watch.predicates) for watch in made.watches] == [(ConfigMap, (DEFAULT,))]


def test_what_the_author_says_goes_before_the_settings():
    made = spec(
        Wanted(nothing, ConfigMap, name="mine", workers=1, deadline_seconds=2.0),
        settings=Settings(workers=3, deadline_seconds=7.0),
    )

    assert (made.name, made.workers, made.deadline_seconds) == ("mine", 1, 2.0)


@pytest.mark.parametrize(
    ("settings", "said", "sharded"),
    [
        (Settings(), None, False),
        (Settings(leader_election=ELECTION), None, False),
        (Settings(sharding=SHARDING), None, True),
        (Settings(sharding=SHARDING, leader_election=ELECTION), None, False),
        (Settings(sharding=SHARDING), False, False),
        (Settings(sharding=SHARDING, leader_election=ELECTION), True, True),
    ],
    ids=["alone", "elected", "shared", "both", "on every replica", "shared beside the leader"],
)
def test_keys_are_shared_where_there_is_sharding_and_nobody_is_elected_unless_the_author_says_so(
    settings, said, sharded
):
    """Or a controller that says nothing would work every key on every replica at once."""
    assert spec(Wanted(nothing, ConfigMap, sharded=said), settings=settings).sharded is sharded


def test_everything_that_is_wrong_is_said_at_once():
    def taken(name):
        raise DuplicateName(name)

    with pytest.raises(ManagerFaults) as caught:
        spec(Wanted(nothing, Pod, workers=0, sharded=True, executors=("absent",)), claim=taken)
    words = [str(fault) for fault in caught.value.faults]

    for part in ("expected workers >= 1", "needs Settings(sharding", "no executor named 'absent'", "'pod' is already"):
        assert any(part in one for one in words), (part, words)
