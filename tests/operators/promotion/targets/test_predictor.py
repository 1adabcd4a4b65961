"""A release is read and written in the one place where a predictor has it."""

import pytest

from windlass.operators.promotion.targets.predictor import model_trouble, placed, refusal, released

MODEL = {"model": {"storageUri": "s3://1", "runtimeVersion": "v1"}}
CUSTOM = {"containers": [{"name": "a", "image": "a:1"}, {"name": "kserve-container", "image": "m:1"}]}
NAMELESS = {"containers": [{"name": "a", "image": "a:1"}]}


@pytest.mark.parametrize(
    ("predictor", "field", "before"),
    [
        (MODEL, "storageUri", "s3://1"),
        (MODEL, "runtimeVersion", "v1"),
        (MODEL, "image", ""),
        (CUSTOM, "image", "m:1"),
        (NAMELESS, "image", "a:1"),
    ],
)
def test_what_is_placed_is_read_back_and_taking_it_back_leaves_what_was(predictor, field, before):
    assert released(predictor, field) == before
    changed = placed(predictor, field, "new")

    assert released(changed, field) == "new"
    assert placed(changed, field, before) == predictor


@pytest.mark.parametrize(
    ("predictor", "field", "reason"),
    [
        (CUSTOM, "storageUri", "UnsupportedRelease"),
        (MODEL, "model", "UnsupportedRelease"),
        ({"sklearn": {"storageUri": "s3://1"}}, "storageUri", "UnsupportedPredictor"),
        ({}, "image", "UnsupportedPredictor"),
    ],
)
def test_what_has_no_place_is_refused(predictor, field, reason):
    assert refusal(predictor, field).reason == reason


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        ({"transitionStatus": "BlockedByFailedLoad"}, "BlockedByFailedLoad"),
        ({"transitionStatus": "InvalidSpec"}, "InvalidSpec"),
        ({"transitionStatus": "InProgress", "states": {"targetModelState": "FailedToLoad"}}, "FailedToLoad"),
    ],
)
def test_a_model_that_cannot_be_loaded_is_trouble_that_is_not_borne(status, reason):
    trouble = model_trouble(status)

    assert (trouble.reason, trouble.final) == (reason, True)


@pytest.mark.parametrize("status", [None, {}, {"transitionStatus": "InProgress"}, {"transitionStatus": "UpToDate"}])
def test_anything_else_is_none(status):
    assert model_trouble(status) is None
