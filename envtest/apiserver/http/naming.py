"""A request must call the server by an address or by one of its own names, or a web page could send it.

A page from anywhere may have its own name resolve to 127.0.0.1 (DNS rebinding), and a request without a token is the
administrator's. What its browser then sends as Host is that name: never an address, nor a name that is local here.
"""

import ipaddress
import socket
from urllib.parse import urlsplit

from windlass.envtest.apiserver.errors import ApiError

__all__ = ("check_host",)

# The last two are what containers call the machine that they run on.
LOCAL_NAMES = frozenset({"localhost", "host.docker.internal", "host.containers.internal"})


def check_host(header: str, listening: str) -> None:
    """Raise 403 unless the Host header names this server, which was told to listen on `listening`."""
    try:
        name = (urlsplit(f"//{header}").hostname or "").removesuffix(".")
        if _is_ours(name, listening):
            return
    except ValueError:
        pass  # a bracket without its other, say
    message = f"the Host header names {header!r}, expected an address, localhost or the name of this machine"
    raise ApiError(403, "Forbidden", message)


def _is_ours(name: str, listening: str) -> bool:
    if name in LOCAL_NAMES or name.endswith(".localhost"):
        return True
    if name in (listening.lower(), socket.gethostname().lower()):
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
