"""Requests and results are values."""

import attrs
import pytest

from windlass.controller.request import Request, Result
from windlass.informers.keys import Key


def test_a_request_names_its_key_its_reason_and_its_run():
    request = Request(Key("ns", "a"), "added", "run-1")
    assert (str(request.key), request.reason, request.reconcile_id) == ("ns/a", "added", "run-1")
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        request.reason = "other"


def test_results_compare_by_what_they_ask_for():
    assert Result.done() == Result()
    assert Result.after(5) == Result(after_seconds=5)
    assert Result.again() == Result(backoff=True)
    assert len({Result.done(), Result.after(5), Result.again()}) == 3
