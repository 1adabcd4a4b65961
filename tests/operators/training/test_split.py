"""Which rows are held out depends on id and seed alone."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from windlass.operators.training.split import held_out

IDS = st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=50, unique=True)
SEEDS = st.integers(0, 2**53)
SHARES = st.floats(0.01, 0.99)


@given(ids=IDS, seed=SEEDS, share=SHARES, data=st.data())
def test_neither_order_nor_other_rows_move_a_row(ids, seed, share, data):
    whole = dict(zip(ids, held_out(np.array(ids), seed=seed, share=share).tolist(), strict=True))
    some = data.draw(st.lists(st.sampled_from(ids), min_size=1, unique=True))

    assert [whole[row] for row in some] == held_out(np.array(some), seed=seed, share=share).tolist()


@given(ids=IDS, seed=SEEDS, shares=st.tuples(SHARES, SHARES))
def test_a_larger_share_holds_out_all_that_a_smaller_one_did(ids, seed, shares):
    small, large = (held_out(np.array(ids), seed=seed, share=share) for share in sorted(shares))

    assert not (small & ~large).any()


@pytest.mark.parametrize("share", [0.05, 0.2, 0.5, 0.9])
def test_about_the_share_asked_for_is_held_out_of_consecutive_ids(share):
    found = held_out(np.arange(100_000), seed=7, share=share).mean()

    assert abs(found - share) < 0.006, "more than four standard deviations off"


def test_seeds_choose_independently():
    one, other = (held_out(np.arange(100_000), seed=seed, share=0.5) for seed in (1, 2))

    assert abs((one == other).mean() - 0.5) < 0.01
