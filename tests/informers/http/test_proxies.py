"""The environment's proxies are asked for what they are for, and for nothing on this machine."""

import pytest

from windlass.informers.http.address import Address
from windlass.informers.http.proxies import proxy_of_environment

VARIABLES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


@pytest.fixture(autouse=True)
def proxies(monkeypatch):
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:3128")
    return monkeypatch


@pytest.mark.parametrize(
    ("server", "excepted", "used"),
    [
        ("https://cluster.example", "", True),
        ("http://cluster.example", "", False),
        ("https://cluster.example", "other,cluster.example", False),
        ("https://api.cluster.example", ".cluster.example", False),
        ("https://cluster.example", "*", False),
        ("https://cluster.example:6443", "cluster.example:6443", False),
        ("https://cluster.example:6443", "cluster.example:443", True),
        ("https://10.1.2.3", "10.0.0.0/8", False),
        ("https://11.1.2.3", "10.0.0.0/8, nonsense/99", True),
        ("https://[fd00::1]", "fd00::/8,10.0.0.0/8", False),
        ("https://localhost:6443", "", False),
        ("https://127.0.0.1:6443", "", False),
        ("https://[::1]:6443", "", False),
    ],
)
def test_a_proxy_is_asked_for_the_servers_it_is_for(proxies, server, excepted, used):
    proxies.setenv("NO_PROXY", excepted)
    assert proxy_of_environment(Address.parse(server)) == (Address.parse("http://proxy.example:3128") if used else None)


def test_a_proxy_without_a_scheme_speaks_plain(proxies):
    proxies.setenv("HTTPS_PROXY", "ada:secret@proxy.example:3128")
    assert proxy_of_environment(Address.parse("https://a")) == Address.parse("http://ada:secret@proxy.example:3128")


def test_a_proxy_that_is_none_is_told_by_the_name_of_its_variable(proxies):
    proxies.setenv("HTTPS_PROXY", "socks5://proxy.example")
    with pytest.raises(ValueError, match="the environment's HTTPS_PROXY: expected http"):
        proxy_of_environment(Address.parse("https://a"))
