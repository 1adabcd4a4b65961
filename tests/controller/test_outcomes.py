"""What follows from how a run ended (scenario 37)."""

import pytest

from windlass.controller.errors import TerminalError
from windlass.controller.outcomes import OUTAGE_RETRY_SECONDS_MAX, Failed, FollowUp, Returned, TimedOut, follow_up
from windlass.controller.request import Result
from windlass.informers.errors import ConnectionFailed, ServerError


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        pytest.param(Returned(None), FollowUp("success", forget=True), id="C5: None resets the backoff"),
        pytest.param(Returned(Result.done()), FollowUp("success", forget=True), id="C5: done resets the backoff"),
        pytest.param(
            Returned(Result.after(30.0)),
            FollowUp("requeue_after", forget=True, after_seconds=30.0),
            id="C3: after resets the backoff, then waits its own time",
        ),
        pytest.param(
            Returned(Result.after(0)),
            FollowUp("requeue_after", forget=True, after_seconds=0),
            id="after 0 is now",
        ),
        pytest.param(Returned(Result.again()), FollowUp("requeue", retry=True), id="C4: again keeps the backoff"),
        pytest.param(Failed(ValueError("x")), FollowUp("error", retry=True), id="C1: an error is retried"),
        pytest.param(Failed(TerminalError("x")), FollowUp("error"), id="C6: a terminal error is not, nor forgotten"),
        pytest.param(
            Failed(ConnectionFailed("refused")),
            FollowUp("error", retry=True, retry_seconds_max=OUTAGE_RETRY_SECONDS_MAX),
            id="an outage is retried at the pace of watches",
        ),
        pytest.param(
            Failed(ServerError(503, "ServiceUnavailable", "etcd")),
            FollowUp("error", retry=True, retry_seconds_max=OUTAGE_RETRY_SECONDS_MAX),
            id="so is a server in trouble",
        ),
        pytest.param(TimedOut(5.0), FollowUp("error", retry=True), id="C9: a deadline is an error"),
    ],
)
def test_each_outcome_calls_for_one_follow_up(outcome, expected):
    assert follow_up(outcome) == expected


def test_an_error_together_with_a_result_cannot_be_expressed():
    """C2: whoever raises returns nothing."""
    with pytest.raises(TypeError):
        Failed(ValueError("x"), Result.after(5.0))


@pytest.mark.parametrize("seconds", [float("inf"), float("nan")])
def test_a_delay_that_is_no_number_of_seconds_is_refused(seconds):
    with pytest.raises(ValueError, match="expects a finite number of seconds"):
        Result.after(seconds)
