"""What the end of an attempt means (A9)."""

import pytest

from windlass.operators.training.executors.exits import DISRUPTIONS, Exit


@pytest.mark.parametrize(
    ("code", "meaning"),
    [(0, "succeeded"), (1, "permanent"), (74, "permanent"), (75, "retryable"), (76, "permanent"), (127, "permanent"),
     (128, "retryable"), (137, "retryable"), (255, "retryable")],
)  # fmt: skip
def test_a_code_is_for_good_up_to_127_but_for_the_one_that_asks_for_another_try(code, meaning):
    assert meaning == Exit(code).meaning


@pytest.mark.parametrize("reason", sorted(DISRUPTIONS))
@pytest.mark.parametrize("code", [None, 0, 1, 137])
def test_what_was_taken_away_is_a_disruption_whatever_its_code(reason, code):
    assert Exit(code, reason).meaning == "disrupted"


def test_a_deadline_is_for_good_and_an_end_that_nobody_saw_is_not():
    assert Exit(143, "DeadlineExceeded").meaning == "permanent"
    assert Exit().meaning == "retryable"


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (Exit(), "for a reason that nobody recorded"),
        (Exit(3), "exit code 3"),
        (Exit(137, "OOMKilled", "Pod a"), "OOMKilled, exit code 137: Pod a"),
        (Exit(None, "Evicted", "no memory"), "Evicted: no memory"),
    ],
)
def test_it_is_told_in_words(found, words):
    assert words == str(found)
