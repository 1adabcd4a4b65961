"""What an endpoint takes on at once, and that it is given back."""

import pytest

from windlass.serving.errors import Overloaded
from windlass.serving.http.admission import Admission


def test_more_requests_than_allowed_are_refused_until_one_ends():
    """DB15, DB20."""
    admission = Admission(requests_max=2)
    with admission.request():
        with admission.request():
            with (
                pytest.raises(Overloaded, match=r"^the server answers 2 requests already$") as caught,
                admission.request(),
            ):
                pass
            assert (caught.value.status, caught.value.headers) == (429, {"Retry-After": "1"})
        with admission.request():
            assert admission.requests == 2
    assert admission.requests == 0


def test_bodies_share_one_bound():
    admission = Admission(body_bytes_max=10)
    with admission.request() as first, admission.request() as second:
        first.reserve(6)
        second.reserve(4)
        with pytest.raises(Overloaded, match=r"^bodies of 10 bytes are in memory already$"):
            second.reserve(5)
        second.reserve(3)
    assert repr(admission) == "<Admission requests=0/1024 body_bytes=0/10>"


def test_what_is_read_was_announced():
    """A chunk of a body whose length was announced takes no more room than that."""
    admission = Admission(body_bytes_max=10)
    with admission.request() as held:
        held.reserve(8)
        held.reserve(3)
        held.reserve(8)
        assert admission.body_bytes == 8
        held.reserve(9)
        assert admission.body_bytes == 9


def test_it_is_given_back_whatever_happens():
    admission = Admission()

    def fail():
        with admission.request() as held:
            held.reserve(5)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert (admission.requests, admission.body_bytes) == (0, 0)
