"""What nobody has taken up is waiting, and after a while says for whom."""

from datetime import UTC, datetime

from windlass.operators.training.executors.uptake import PATIENCE, not_taken_up

CHILD = {"kind": "TrainJob", "metadata": {"name": "digits-1", "creationTimestamp": "2026-01-01T00:00:00Z"}}


def test_it_says_which_object_since_when_and_whose_word_is_awaited():
    told = not_taken_up(CHILD, "Kubeflow Trainer", hint=", and is there a runtime torch")

    assert told.why == (
        "no controller has taken up TrainJob digits-1, which was made at 2026-01-01T00:00:00Z: "
        "is Kubeflow Trainer running, and is there a runtime torch?"
    )
    assert told.tell_after == datetime(2026, 1, 1, tzinfo=UTC) + PATIENCE
