"""What the environment says of proxies: HTTP_PROXY, HTTPS_PROXY and NO_PROXY, as programs of this field read them.

Names, `.suffixes`, `*` and HOST:PORT of NO_PROXY are the standard library's; networks (`10.0.0.0/8`) and this machine
itself, which no proxy is asked for, are added here, for kubectl and client-go know them.
"""

from collections.abc import Iterator
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from urllib.request import getproxies, proxy_bypass

from windlass.informers.http.address import Address

__all__ = ("proxy_of_environment",)


def proxy_of_environment(address: Address) -> Address | None:
    """The proxy on the way to the address. Raises ValueError, naming the variable."""
    proxies = getproxies()
    url = proxies.get(address.scheme)
    if not url or _near(address.host, proxies.get("no", "")) or proxy_bypass(address.authority):
        return None
    try:
        return Address.parse(url if "://" in url else f"http://{url}")
    except ValueError as error:
        raise ValueError(f"the environment's {address.scheme.upper()}_PROXY: {error}") from error


def _near(host: str, excepted: str) -> bool:
    try:
        number = ip_address(host)
    except ValueError:
        return host == "localhost"
    return number.is_loopback or any(number in network for network in _networks(excepted))


def _networks(excepted: str) -> Iterator[IPv4Network | IPv6Network]:
    for part in excepted.split(","):
        try:
            yield ip_network(part.strip(), strict=False)
        except ValueError:
            continue
