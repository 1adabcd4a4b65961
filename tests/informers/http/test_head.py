"""Nothing that a caller gives breaks out of its line of a head, and no refusal shows a secret."""

import pytest

from windlass.informers.http.address import Address
from windlass.informers.http.head import Heads

DIRECT = Heads(Address.parse("https://cluster.example/k8s/c-1/"), "windlass/1")


def test_a_head_has_the_lines_that_a_server_needs():
    assert DIRECT.head("PATCH", "/api/v1/pods?dryRun=All", ("Accept", "application/json"), length=7) == (
        b"PATCH /k8s/c-1/api/v1/pods?dryRun=All HTTP/1.1\r\n"
        b"Host: cluster.example\r\nUser-Agent: windlass/1\r\nAccept-Encoding: identity\r\n"
        b"Accept: application/json\r\nContent-Length: 7\r\n\r\n"
    )


def test_a_proxy_is_told_the_whole_address_and_who_asks():
    proxy = Address.parse("http://ada:p%40ss@proxy.example:3128")
    head = Heads(Address.parse("http://[::1]:8080"), "windlass/1", proxy=proxy).head("GET", "/version")
    assert head.splitlines()[:2] == [b"GET http://[::1]:8080/version HTTP/1.1", b"Host: [::1]:8080"]
    assert b"Proxy-Authorization: Basic YWRhOnBAc3M=\r\n" in head, "base64 of ada:p@ss"


@pytest.mark.parametrize("target", ["/a b", "/a\r\nX: y", "/ä", ""])
def test_a_target_that_is_no_target_is_refused(target):
    with pytest.raises(ValueError, match="expected a method and a path of printable ASCII"):
        DIRECT.head("GET", target)


def test_a_method_of_two_words_is_refused():
    with pytest.raises(ValueError, match="'GET /x'"):
        DIRECT.head("GET /x", "/version")


@pytest.mark.parametrize("odd", ["\r", "\n", "\0", "\u20ac"])
def test_a_value_of_more_than_one_line_is_refused_and_not_shown(odd):
    with pytest.raises(ValueError, match="Authorization: expected one line of text in latin-1, found") as caught:
        DIRECT.head("GET", "/version", ("Authorization", f"Bearer secret{odd}X-A: b"))
    assert repr(odd) in str(caught.value)
    assert "secret" not in str(caught.value)
