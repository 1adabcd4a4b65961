"""What others can reach takes a token: this judges where the probe server is to listen, before there is one.

Apart from the server itself, so that a manager without a probe port need not import what servers are made of.
"""

import ipaddress

__all__ = ("exposure_fault",)


def exposure_fault(host: str, token: str | None) -> str | None:
    """What is wrong with listening on `host`, if anything: beyond this machine it takes a token."""
    if token == "":
        return "Settings.probe_token is empty: expected a secret text, or None"
    if token is not None or _is_loopback(host):
        return None
    return (
        f"Settings.probe_host is {host!r}, which others can reach, and there is no Settings.probe_token: "
        "set one, or listen on 127.0.0.1"
    )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
