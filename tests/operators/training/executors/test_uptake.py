"""An object of which its controller says nothing waits, and after a while says for whom."""

from datetime import UTC, datetime

import pytest
from attempts import pod

from windlass.operators.training.executors.objects import AtWork, Waiting
from windlass.operators.training.executors.uptake import PATIENCE, unheard

CHILD = {"kind": "TrainJob", "metadata": {"name": "digits-1", "creationTimestamp": "2026-01-01T00:00:00Z"}}
UNSCHEDULABLE = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "no gpu"}


def test_it_says_which_object_since_when_and_whose_word_is_awaited():
    told = unheard(CHILD, [], "Kubeflow Trainer", hint=", and is there a runtime torch")

    assert told.why == (
        "no controller has taken up TrainJob digits-1, which was made at 2026-01-01T00:00:00Z: "
        "is Kubeflow Trainer running, and is there a runtime torch?"
    )
    assert told.tell_after == datetime(2026, 1, 1, tzinfo=UTC) + PATIENCE


@pytest.mark.parametrize(
    ("pods", "reading"),
    [
        ([pod(), pod(phase="Failed", code=1)], AtWork()),
        ([pod(phase="Pending", conditions=[UNSCHEDULABLE])], Waiting("Unschedulable: no gpu")),
        (
            [pod(phase="Failed", code=1), pod(phase="Succeeded", code=0)],
            Waiting("the Pods of TrainJob digits-1 have ended, and no controller says how; is KubeRay running?"),
        ),
    ],
    ids=["running", "pending", "ended"],
)
def test_where_there_are_pods_there_was_a_controller(pods, reading):
    assert unheard(CHILD, pods, "KubeRay") == reading
