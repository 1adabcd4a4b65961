"""What each error means to a reflector: L-06, R1, R2."""

import pytest
from scripted_cluster import refusal, too_large

from windlass.informers.causes import failure_of
from windlass.informers.errors import ConfigError, ConnectionFailed, ProtocolError
from windlass.informers.phases import Cause


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        pytest.param(refusal(410, "Expired"), Cause.EXPIRED, id="410"),
        pytest.param(too_large(), Cause.TOO_LARGE, id="a version from the future"),
        pytest.param(refusal(504, "Timeout", "Too large resource version: 9"), Cause.TOO_LARGE, id="without a cause"),
        pytest.param(refusal(504, "Timeout"), Cause.SERVER, id="504"),
        pytest.param(refusal(429, "TooManyRequests"), Cause.THROTTLED, id="429"),
        pytest.param(refusal(401, "Unauthorized"), Cause.DENIED, id="401"),
        pytest.param(refusal(403, "Forbidden"), Cause.DENIED, id="403"),
        pytest.param(refusal(404, "NotFound"), Cause.MISSING, id="404"),
        pytest.param(refusal(422, "Invalid"), Cause.UNSUPPORTED, id="422"),
        pytest.param(ConnectionFailed("gone", sent=False), Cause.CONNECTION, id="no answer"),
        pytest.param(ConfigError("no token"), Cause.DENIED, id="no credentials"),
        pytest.param(ProtocolError("no list"), Cause.MALFORMED, id="no list"),
    ],
)
def test_the_cause_of_an_error(error, cause):
    assert failure_of(error).cause is cause
    assert failure_of(error).message == str(error)


def test_the_wish_of_the_server_is_kept():
    assert failure_of(refusal(429, "TooManyRequests", retryAfterSeconds=45)).retry_after_seconds == 45.0
    assert failure_of(refusal(410, "Expired")).retry_after_seconds == 0.0
