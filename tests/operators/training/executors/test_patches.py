"""A merge patch in an object that was not yet sent, and in one that came back."""

import pytest

from windlass.operators.training.executors.patches import includes, merged

PATCH = {"spec": {"runPolicy": {"suspend": True}}}


@pytest.mark.parametrize(
    "body",
    [{}, {"spec": {"a": 1}}, {"spec": {"runPolicy": {"suspend": False, "b": 2}, "a": 1}}],
    ids=["empty", "beside", "otherwise"],
)
def test_what_is_merged_is_included_and_the_rest_stays(body):
    whole = merged(body, PATCH)

    assert not includes(body, PATCH)
    assert includes(whole, PATCH)
    assert whole["spec"].get("a") == body.get("spec", {}).get("a")
    assert whole["spec"]["runPolicy"].get("b") == body.get("spec", {}).get("runPolicy", {}).get("b")
