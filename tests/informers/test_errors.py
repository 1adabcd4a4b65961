"""The tree of errors, and how answers become its members."""

import json

import pytest

from windlass.informers import errors
from windlass.informers.builtins import Pod
from windlass.informers.errors import (
    AlreadyExists,
    ApiError,
    BadRequest,
    Cause,
    Conflict,
    Forbidden,
    Gone,
    InformersError,
    Invalid,
    NotFound,
    ServerError,
    TooManyRequests,
    Unauthorized,
)
from windlass.informers.keys import Key
from windlass.informers.requests import get
from windlass.statemachine.errors import WindlassError

REQUEST = get(Pod, Key("default", "a"))


def answer(code, reason="", message="no", **details):
    return json.dumps(
        {"kind": "Status", "code": code, "reason": reason, "message": message, "details": details}
    ).encode()


@pytest.mark.parametrize(
    ("code", "reason", "expected"),
    [
        (400, "BadRequest", BadRequest),
        (401, "Unauthorized", Unauthorized),
        (403, "Forbidden", Forbidden),
        (404, "NotFound", NotFound),
        (409, "Conflict", Conflict),
        (409, "AlreadyExists", AlreadyExists),
        (410, "Expired", Gone),
        (410, "Gone", Gone),
        (415, "UnsupportedMediaType", ApiError),
        (422, "Invalid", Invalid),
        (429, "TooManyRequests", TooManyRequests),
        (500, "InternalError", ServerError),
        (503, "ServiceUnavailable", ServerError),
    ],
)
def test_the_code_and_reason_choose_the_class(code, reason, expected):
    assert type(ApiError.of(code, answer(code, reason))) is expected


def test_it_carries_the_servers_status_and_the_request():
    body = answer(
        422,
        "Invalid",
        'Widget.ex.dev "x" is invalid',
        causes=[{"reason": "FieldValueRequired", "message": "Required value", "field": "spec.a"}],
    )

    error = ApiError.of(422, body, request=REQUEST)

    assert (error.status_code, error.reason, error.message) == (422, "Invalid", 'Widget.ex.dev "x" is invalid')
    assert error.causes == (Cause("FieldValueRequired", "Required value", "spec.a"),)
    assert error.request is REQUEST
    assert str(error) == 'get pods.v1 default/a: 422 Invalid: Widget.ex.dev "x" is invalid'


def test_an_answer_that_is_no_status_is_quoted():
    """E-17: load balancers answer in their own words."""
    error = ApiError.of(503, b"<html>" + b"x" * 1000, request=REQUEST)

    assert str(error).startswith("get pods.v1 default/a: 503: <html>xxx")
    assert len(str(error)) < 300
    assert str(ApiError.of(502, b"")) == "502: no explanation given"
    assert ApiError.of(503, b"\xff\xfe").status_code == 503


def test_the_event_in_a_stream_names_its_own_code():
    assert type(ApiError.of(0, answer(410, "Expired"))) is Gone
    assert ApiError.of(0, answer(410, "Expired")).status_code == 410


def test_the_wish_to_be_left_alone_is_read_from_header_or_body():
    """E-15."""
    assert ApiError.of(429, answer(429, retryAfterSeconds=7)).retry_after_seconds == 7.0
    assert ApiError.of(429, answer(429, retryAfterSeconds=7), retry_after_seconds=3.0).retry_after_seconds == 3.0
    assert ApiError.of(429, answer(429)).retry_after_seconds is None


def test_odd_details_do_no_harm():
    assert ApiError.of(422, answer(422, causes="x")).causes == ()
    assert ApiError.of(422, answer(422, causes=[1, {}])).causes == (Cause(),)


@pytest.mark.parametrize("name", errors.__all__)
def test_the_tree_in_the_docstring_is_the_tree(name):
    cls = getattr(errors, name)
    if name == "Cause":
        return
    assert issubclass(cls, InformersError)
    assert issubclass(cls, WindlassError)
    assert name in errors.__doc__
