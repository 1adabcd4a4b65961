"""What each operation makes of a route's document, without an endpoint."""

import attrs
import pytest
from promotions import NOW, made

from windlass.operators.promotion.targets.contract import plan_of
from windlass.operators.promotion.targets.routed import ROUTED, parts
from windlass.operators.promotion.types import OperationStatus

SPEC = {"arms": [{"name": "live", "model": "m", "weight": 100}], "unit_header": "X-User"}
RELEASE = {"model": {"name": "m", "version": "2"}, "modelSha256": "a" * 64}


def plan(spec=SPEC):
    found = plan_of(made(release=RELEASE))
    return attrs.evolve(found, previous=ROUTED.previous({"spec": spec}, found))


def after(name, weight, spec=SPEC):
    operation = OperationStatus(name, "id", weight, "before", "digest", NOW)
    return ROUTED.changed(spec, plan(), operation)


def test_the_candidate_stands_beside_the_stable_arm_and_all_else_stays():
    changed = after("introduce", 10)

    assert [(arm["model"], arm.get("version"), arm["weight"]) for arm in changed["arms"]] == [
        ("m", None, 90),
        ("m", "2", 10),
    ]
    assert changed["unit_header"] == "X-User"
    assert ROUTED.others(changed, plan()) == ROUTED.others(SPEC, plan())


def test_taking_back_makes_the_document_what_it_was():
    assert after("withdraw", 0, after("introduce", 10)) == SPEC
    assert after("withdraw", 0, after("complete", 100)) == SPEC


def test_the_stable_arm_keeps_its_name_when_the_release_is_its_own():
    assert after("complete", 100)["arms"] == [{"name": "live", "model": "m", "version": "2", "weight": 100}]


def test_an_arm_without_a_share_is_written_as_the_endpoint_writes_it():
    assert "weight" not in after("introduce", 0)["arms"][1]


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({**SPEC, "experiment": {"control": "live"}}, "an experiment runs"),
        ({"arms": [{"name": "a", "model": "m", "weight": 60}, {"name": "b", "model": "m", "weight": 40}]}, "a, b"),
    ],
)
def test_a_route_that_is_split_or_tried_on_is_busy(spec, words):
    assert words in ROUTED.seen({"spec": spec, "status": {}}, plan(spec)).unsettled


@pytest.mark.parametrize(("release", "expected"), [("m@2", ("m", "2")), ("m@", ("m", "")), ("a@b@3", ("a@b", "3"))])
def test_a_release_is_a_model_at_a_version(release, expected):
    assert parts(release) == expected
