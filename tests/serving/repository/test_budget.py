"""Who makes room for whom."""

from hypothesis import given
from hypothesis import strategies as st

from windlass.serving.repository.budget import Resident, evictions

A, B, C = (Resident(name, 1, 10, used) for name, used in (("a", 3.0), ("b", 1.0), ("c", 2.0)))


def test_nothing_is_given_up_while_there_is_room():
    assert evictions([A, B], needed=10, limit=30) == ()


def test_the_least_recently_used_go_first_and_no_more_than_must():
    assert evictions([A, B, C], needed=10, limit=30) == (B,)
    assert evictions([A, B, C], needed=11, limit=30) == (B, C)


def test_what_is_fixed_stays_and_when_the_rest_is_not_enough_all_stay():
    fixed = Resident("p", 1, 15, 0.0, fixed=True)
    assert evictions([fixed, A], needed=10, limit=30) == (A,)
    assert evictions([fixed, A], needed=16, limit=30) is None


residents = st.lists(
    st.builds(Resident, st.sampled_from("abc"), st.integers(1, 3), st.integers(0, 50), st.floats(0, 9), st.booleans()),
    max_size=6,
)


@given(residents, st.integers(0, 100), st.integers(1, 150))
def test_what_is_chosen_is_enough_and_every_one_of_it_needed(everything, needed, limit):
    chosen = evictions(everything, needed=needed, limit=limit)
    movable = [one for one in everything if not one.fixed]
    total = sum(one.size for one in everything) + needed
    if chosen is None:
        assert total - sum(one.size for one in movable) > limit
        return
    assert not any(one.fixed for one in chosen)
    freed = sum(one.size for one in chosen)
    assert total - freed <= limit
    assert not chosen or total - freed + chosen[-1].size > limit
    latest = max((one.used for one in chosen), default=0)
    assert all(one.used >= latest for one in movable if one not in chosen and one.size)
