"""A shadow's answer beside the arm's."""

import numpy as np

from windlass.serving.traffic.comparison import Comparison, compare


def test_numbers_are_compared_by_distance_and_everything_else_row_by_row():
    """T11."""
    ours = {"label": np.array([1, 2, 3]), "score": np.array([[0.5, np.nan], [1.0, np.inf], [0.0, 0.0]])}
    assert compare(ours, ours) == Comparison(3, 0, 0.0)
    theirs = {"label": np.array([1, 2, 4]), "score": np.array([[0.5, np.nan], [1.25, np.inf], [0.0, 0.0]])}
    assert compare(ours, theirs) == Comparison(2, 1, 0.25)
    assert compare(ours, {"label": np.array([1, 2]), "score": ours["score"]}) == Comparison(0, 3, 0.0)
    assert compare({"s": np.array([1.0])}, {"s": np.array([np.nan])}) == Comparison(0, 0, np.inf)
    assert compare({"s": np.array([b"a", "b"], dtype=object)}, {}) == Comparison(0, 2, None)
    assert compare({"s": np.float32(1.0).reshape(())}, {"s": np.float32(3.0).reshape(())}) == Comparison(0, 0, 2.0)
