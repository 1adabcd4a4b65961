import pytest

from windlass.serving.access.cors import Cors

CORS = Cors(("https://app.example.com", "http://[::1]:3000"))


@pytest.mark.parametrize(
    "origin",
    [
        "*",
        "null",
        "https://app.example.com/",
        "app.example.com",
        "https://*.example.com",
        "https://app.example.com,https://b.example.com",
        "https://APP.example.com",
        "file://x",
    ],
)
def test_what_no_browser_sends_as_an_origin_is_refused(origin):
    with pytest.raises(ValueError, match="cors_origins: expected origins as browsers send them"):
        Cors((origin,))


def test_a_listed_origin_is_named_and_another_one_is_not():
    found = CORS.headers({"Origin": "https://app.example.com"})
    assert (found["Access-Control-Allow-Origin"], found["Vary"]) == ("https://app.example.com", "Origin")
    for origin in ("https://app.example.com.evil.example", "http://app.example.com", "https://example.com", "null"):
        assert CORS.headers({"Origin": origin}) == {"Vary": "Origin"}
    assert CORS.headers({}) == {"Vary": "Origin"}


def test_cookies_are_never_allowed():
    assert "Access-Control-Allow-Credentials" not in CORS.headers({"Origin": "https://app.example.com"})


def test_a_preflight_is_answered_and_one_of_a_stranger_gets_nothing():
    asked = {"Origin": "http://[::1]:3000", "Access-Control-Request-Method": "POST"}
    found = CORS.preflight("OPTIONS", asked)
    assert found["Access-Control-Allow-Methods"] == "GET, POST"
    assert "Authorization" in found["Access-Control-Allow-Headers"]
    assert CORS.preflight("OPTIONS", {**asked, "Origin": "https://evil.example"}) == {"Vary": "Origin"}


def test_what_is_no_preflight_is_left_alone():
    assert CORS.preflight("GET", {"Origin": "http://[::1]:3000", "Access-Control-Request-Method": "POST"}) is None
    assert CORS.preflight("OPTIONS", {"Origin": "http://[::1]:3000"}) is None
