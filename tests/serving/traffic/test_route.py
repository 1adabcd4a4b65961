"""A route that breaks its rules cannot be made, and says all that is wrong at once."""

import pytest

from windlass.serving.errors import RouteError
from windlass.serving.traffic.route import Arm, Match, Route, Routes, Shadow, valid_label


def two(weight=10, **changes):
    return Route("r", (Arm("a", "m", weight=100 - weight), Arm("b", "m", "2", weight)), **changes)


def test_every_fault_is_told_at_once():
    """T1, H1."""
    with pytest.raises(RouteError) as caught:
        Route(
            "r",
            (Arm("a", "m", weight=-1), Arm("a", "", weight=50), Arm("b c", "m", weight=120)),
            stable="z",
            matches=(Match("", "v", "q"),),
            shadows=(Shadow("s", "", percent=0), Shadow("s", "m")),
        )
    assert caught.value.faults == (
        "arms[0].weight: expected a whole number from 0 to 100, found -1",
        "arms[1].name: 'a' is given twice",
        "arms[1].model: expected the name of a model, found nothing",
        "arms[2].name: expected letters, digits, '-', '_' and '.', at most 63, found 'b c'",
        "arms[2].weight: expected a whole number from 0 to 100, found 120",
        "arms: expected weights that sum to 100, found 169",
        "stable: expected one of the arms a, a, b c, found 'z'",
        "matches[0].header: expected the name of a header, found nothing",
        "matches[0].arm: expected one of the arms a, a, b c, found 'q'",
        "shadows[0].model: expected the name of a model, found nothing",
        "shadows[0].percent: expected more than 0 and at most 100, found 0",
        "shadows[1].name: 's' is given twice",
    )
    assert caught.value.status == 400


@pytest.mark.parametrize("count", [0, 17])
def test_a_route_has_a_bounded_number_of_arms(count):
    """T8: arms are labels of metrics."""
    with pytest.raises(RouteError, match=f"arms: expected 1 to 16, found {count}"):
        Route("r", tuple(Arm(f"a{index}", "m") for index in range(count)))


@pytest.mark.parametrize("name", ["", "é", "a b", "-a", "a" * 64, 'a"', "a\n"])
def test_a_label_fits_into_headers_metrics_and_paths(name):
    assert not valid_label(name)
    assert valid_label("digits-2.1_b")


def test_the_first_arm_is_the_stable_one_unless_another_is_named():
    """T1."""
    assert (two().stable_arm.name, two(stable="b").stable_arm.name) == ("a", "b")


def test_weights_are_changed_together():
    """T9."""
    changed = two().with_weights({"a": 25, "b": 75})
    assert [arm.weight for arm in changed.arms] == [25, 75]
    with pytest.raises(RouteError, match="sum to 100, found 165"):
        two().with_weights({"b": 75})
    with pytest.raises(RouteError, match="no arm is called 'c'; there are a, b"):
        two().with_weights({"c": 75})


def test_routes_are_one_value():
    """T9."""
    routes = Routes.of(two())
    assert routes.having(two(20)).by_name["r"].arm("b").weight == 20
    assert routes.without("r") == Routes()
    assert routes.by_name["r"].arm("b").weight == 10
