"""How soon a worker is started again."""

from windlass.serving.isolation.restarts import Restarts
from windlass.serving.policy import Isolation

POLICY = Isolation(backoff_seconds=0.5, backoff_seconds_max=4.0)


def test_each_end_makes_the_next_start_later_up_to_the_bound():
    restarts, delays = Restarts(POLICY), []
    for _ in range(7):
        restarts = restarts.after(0.1)
        delays.append(restarts.delay_seconds)
    assert delays == [0.0, 0.5, 1.0, 2.0, 4.0, 4.0, 4.0]


def test_who_lived_for_long_is_sound_again():
    restarts = Restarts(POLICY, in_a_row=5).after(4.0)
    assert (restarts.in_a_row, restarts.delay_seconds) == (1, 0.0)


def test_no_number_of_ends_is_too_many():
    assert Restarts(POLICY, in_a_row=10**9).delay_seconds == 4.0
