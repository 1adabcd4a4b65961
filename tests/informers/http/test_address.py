"""An address is read from a URL once; what cannot be one is refused, and no password is shown."""

import pytest

from windlass.informers.http.address import Address


@pytest.mark.parametrize(
    ("url", "authority", "host_header", "prefix"),
    [
        ("https://10.0.0.1", "10.0.0.1:443", "10.0.0.1", ""),
        ("https://a.example:443/", "a.example:443", "a.example", ""),
        ("http://a.example:8080/k8s/clusters/c-1/", "a.example:8080", "a.example:8080", "/k8s/clusters/c-1"),
        ("https://[fd00::1]:6443", "[fd00::1]:6443", "[fd00::1]:6443", ""),
        ("http://[fd00::1]", "[fd00::1]:80", "[fd00::1]", ""),
        ("http://a.example:0", "a.example:0", "a.example:0", ""),
        ("HTTPS://A.example", "a.example:443", "a.example", ""),
        ("https://bücher.example", "xn--bcher-kva.example:443", "xn--bcher-kva.example", ""),
    ],
)
def test_a_url_names_a_host_a_port_and_what_goes_before_paths(url, authority, host_header, prefix):
    address = Address.parse(url)
    assert (address.authority, address.host_header, address.prefix) == (authority, host_header, prefix)
    assert address.tls == url.lower().startswith("https")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "cluster.example",
        "ftp://a",
        "socks5://a:1",
        "https://",
        "https://:6443",
        "https://a:port",
        "https://a:70000",
        "https://[::1",
        "https://a/?x=1",
        "https://a/ä",
        " https://a",
        "https://a:443 ",
        "https://a\n",
        "https://a\tb",
    ],
)
def test_what_is_no_address_is_refused(url):
    with pytest.raises(ValueError, match="expected"):
        Address.parse(url)


@pytest.mark.parametrize("host", ["a..b", ".", "a" * 64, "ä..b"])
def test_a_host_that_can_have_no_address_is_refused(host):
    with pytest.raises(ValueError, match="is no name"):
        Address.parse(f"https://{host}:6443")


def test_a_refused_url_is_told_without_its_password():
    with pytest.raises(ValueError, match="found 'socks5://…@a:1'"):
        Address.parse("socks5://ada:secret@a:1")
    assert "secret" not in repr(Address.parse("http://ada:secret@a:1"))
