"""Keys and members: everybody agrees, shares are even, and little moves."""

from collections import Counter

from windlass.controller.rendezvous import owner_of
from windlass.informers.keys import Key

KEYS = [Key("default", f"object-{number}") for number in range(3000)]


def owners(*members):
    return {key: owner_of(key, members) for key in KEYS}


def test_without_members_nobody_owns_anything():
    assert owner_of(KEYS[0], ()) is None


def test_the_order_in_which_members_are_known_does_not_matter():
    assert owners("a", "b", "c") == owners("c", "a", "b")


def test_shares_are_even():
    shares = Counter(owners("a", "b", "c").values())
    assert all(850 <= share <= 1150 for share in shares.values())
    assert sum(shares.values()) == 3000


def test_a_member_that_leaves_gives_up_its_own_keys_and_no_others_move():
    before, after = owners("a", "b", "c"), owners("a", "b")
    assert {key for key in KEYS if before[key] != after[key]} == {key for key in KEYS if before[key] == "c"}


def test_a_member_that_joins_takes_from_all_and_nothing_moves_between_the_others():
    before, after = owners("a", "b", "c"), owners("a", "b", "c", "d")
    moved = [key for key in KEYS if before[key] != after[key]]
    assert {after[key] for key in moved} == {"d"}
    assert {before[key] for key in moved} == {"a", "b", "c"}


def test_owners_are_the_same_in_every_version_of_this_program():
    """Replicas of two versions run side by side during a rolling update, so this may never change."""
    found = [owner_of(Key("default", name), ("a", "b", "c")) for name in ("one", "two", "three", "four", "five", "six")]
    assert found == EXPECTED


EXPECTED = ["c", "c", "a", "b", "c", "b"]
