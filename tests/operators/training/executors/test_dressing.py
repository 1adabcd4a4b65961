"""Whose object it is stands on the object (G2)."""

import attrs
import pytest
from attempts import RUN
from hypothesis import given
from hypothesis import strategies as st

from windlass.informers.builtins import Job
from windlass.operators.training.executors.dressing import dressed, is_ours, operation_of
from windlass.operators.training.identity import child_name

BODY = {"metadata": {"labels": {"team": "a"}, "annotations": {"note": "b"}}, "spec": {"x": 1}}


def test_an_object_gets_name_namespace_labels_and_annotations_and_keeps_its_own():
    found = dressed(Job, BODY, RUN)

    assert (found["apiVersion"], found["kind"], found["spec"]) == ("batch/v1", "Job", {"x": 1})
    assert found["metadata"] == {
        "name": "digits-0123456789ab-2",
        "namespace": "ml",
        "labels": {"team": "a", "ai.windlass.dev/run": RUN.id, "ai.windlass.dev/attempt": "2"},
        "annotations": {
            "note": "b",
            "ai.windlass.dev/training-job": "digits",
            "ai.windlass.dev/operation-id": RUN.op_id,
            "ai.windlass.dev/owner-uid": "uid-1",
        },
    }


def test_what_a_spec_says_cannot_pass_for_ours():
    forged = {"metadata": {"annotations": {"ai.windlass.dev/operation-id": "x", "ai.windlass.dev/owner-uid": "y"}}}

    assert is_ours(dressed(Job, forged, RUN), RUN)


@pytest.mark.parametrize(
    "other",
    [
        attrs.evolve(RUN, op_id="another"),
        attrs.evolve(RUN, uid="another"),
        attrs.evolve(RUN, uid=""),
    ],
    ids=["of another attempt", "of another job", "of no job"],
)
def test_an_object_of_the_same_name_is_not_ours(other):
    assert not is_ours(dressed(Job, BODY, other), RUN)
    assert not is_ours(dressed(Job, BODY, RUN), other)


def test_an_object_without_annotations_is_nobody_s():
    assert operation_of({"metadata": {"name": "digits-0123456789ab-2"}}, "uid-1") is None


NAMES = st.from_regex(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?", fullmatch=True)


@given(NAMES, st.integers(1, 9999))
def test_every_job_s_name_gives_a_name_that_every_kind_takes(name, attempt):
    """Letters first, lower case, no dots, and room for what kinds append."""
    found = child_name(name, RUN.id, attempt)

    assert len(found) <= 45
    assert found[0].isalpha()
    assert set(found) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")
    assert not found.endswith("-")


@given(NAMES, st.integers(1, 9999), st.integers(1, 9999))
def test_no_two_attempts_share_a_name(name, one, other):
    """A10."""
    assert (one == other) == (child_name(name, RUN.id, one) == child_name(name, RUN.id, other))
