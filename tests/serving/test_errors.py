"""Each error knows its status and its headers."""

import pytest

from windlass.serving import errors
from windlass.statemachine.errors import WindlassError


@pytest.mark.parametrize(
    ("error", "status", "headers"),
    [
        (errors.BadRequest("x"), 400, {}),
        (errors.NotFound("x"), 404, {}),
        (errors.NotAllowed("GET", "/x", allowed=("POST", "PUT")), 405, {"Allow": "POST, PUT"}),
        (errors.TooLarge(10), 413, {"Connection": "close"}),
        (errors.Unreadable("x"), 400, {"Connection": "close"}),
        (errors.UnsupportedMedia("x"), 415, {}),
        (errors.Overloaded("x"), 429, {"Retry-After": "1"}),
        (errors.ModelFailed("x"), 500, {}),
        (errors.NotReady("x", retry_after_seconds=5), 503, {"Retry-After": "5"}),
    ],
)
def test_status_and_headers(error, status, headers):
    """R11."""
    assert (status, headers) == (error.status, error.headers)
    assert isinstance(error, WindlassError)


def test_every_error_is_exported_and_drawn_in_the_tree():
    for name in errors.__all__:
        assert issubclass(getattr(errors, name), errors.ServingError)
        assert name in errors.__doc__
