"""A name that no API server takes is refused where it is given, before anything is sent.

Functions return what is wrong, beginning with the field's name, or None.
"""

import re
from typing import Final

__all__ = ("lease_fault", "manager_fault", "namespace_fault")

_NAMESPACE: Final = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_LEASE: Final = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_LEASE_LENGTH_MAX: Final = 253
_MANAGER_BYTES_MAX: Final = 128


def lease_fault(name: str) -> str | None:
    """What keeps `name` from being a Lease's (a DNS-1123 subdomain), if anything."""
    if len(name) <= _LEASE_LENGTH_MAX and _LEASE.fullmatch(name):
        return None
    shown = repr(name) if len(name) <= _LEASE_LENGTH_MAX else f"{len(name)} characters"
    return f"name: expected the name of a Lease, at most {_LEASE_LENGTH_MAX} of a-z, 0-9, '-' and '.', found {shown}"


def namespace_fault(name: object) -> str | None:
    """What keeps `name` from being a namespace's (a DNS-1123 label), if anything; None is no name, and no fault."""
    if name is None or (isinstance(name, str) and _NAMESPACE.fullmatch(name)):
        return None
    return f"namespace: expected at most 63 of a-z, 0-9 and '-' (DNS-1123), or None, found {name!r}"


def manager_fault(name: str) -> str | None:
    """What keeps `name` from being a field manager's, if anything: 1 to 128 bytes, and all of it printable."""
    if 0 < len(name.encode(errors="surrogatepass")) <= _MANAGER_BYTES_MAX and name.isprintable():
        return None
    shown = repr(name) if len(name) <= _MANAGER_BYTES_MAX else f"{len(name)} characters"
    return f"field_manager: expected 1 to {_MANAGER_BYTES_MAX} bytes of printable characters, found {shown}"
