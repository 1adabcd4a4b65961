"""A server whose version is outside the supported range is found out before anything is reconciled.

This module reads a version's text; who asks the server is `windlass.controller.preflight`, and when, the manager.
"""

import logging
import re
from typing import Literal

import attrs

from windlass.controller.errors import ManagerError, VersionMismatch

__all__ = ("SupportedVersions", "check_version", "parse_version")

_LOG = logging.getLogger("windlass.controller.manager")
# What servers say: v1.34.1, v1.29.4-gke.1043002, v1.30.0+k3s1, v1.31.0-alpha.1; a minor like "27+" in older clouds.
_VERSION = re.compile(r"v?(\d+)\.(\d+)(?:\+)?(?:\.\d+)?(?:[-+.].*)?")
_RANGE_END = re.compile(r"(\d+)\.(\d+)")


def parse_version(text: str) -> tuple[int, int] | None:
    """Major and minor of a server's gitVersion; None if it is no version."""
    found = _VERSION.fullmatch(text.strip())
    return (int(found[1]), int(found[2])) if found else None


@attrs.frozen
class SupportedVersions:
    """From `lowest` to `highest`, both included and written `major.minor`; None is open. Patch releases do not count.

    `policy` is what happens at the start when the server is outside: "fail" raises VersionMismatch, "warn" logs it.
    """

    lowest: str | None = "1.20"
    highest: str | None = None
    policy: Literal["fail", "warn"] = "fail"

    def validate(self) -> None:
        """Raises ManagerError with everything that is wrong."""
        wrong = [
            f"{name}: expected 'major.minor' or None, found {value!r}"
            for name, value in (("lowest", self.lowest), ("highest", self.highest))
            if value is not None and not _RANGE_END.fullmatch(value)
        ]
        if self.policy not in ("fail", "warn"):
            wrong.append(f"policy: expected 'fail' or 'warn', found {self.policy!r}")
        low, high = _bound(self.lowest), _bound(self.highest)
        if not wrong and low is not None and high is not None and low > high:
            wrong.append(f"lowest: expected at most highest ({self.highest}), found {self.lowest}")
        if wrong:
            raise ManagerError("the supported versions cannot be used: " + "; ".join(wrong))

    def __contains__(self, version: object) -> bool:
        """Whether a gitVersion is in the range. What is no version is in none."""
        found = parse_version(version) if isinstance(version, str) else None
        if found is None:
            return False
        low, high = _bound(self.lowest), _bound(self.highest)
        return (low is None or found >= low) and (high is None or found <= high)

    def __str__(self) -> str:
        if self.lowest is None and self.highest is None:
            return "any version"
        if self.highest is None:
            return f"{self.lowest} or newer"
        return f"{self.highest} or older" if self.lowest is None else f"{self.lowest} to {self.highest}"


def check_version(found: str, supported: SupportedVersions, *, server: str) -> None:
    """Raises VersionMismatch, or logs it if that is the policy, unless `found` is in the range."""
    if found in supported:
        return
    mismatch = VersionMismatch(server, found, str(supported))
    if supported.policy == "fail":
        raise mismatch
    _LOG.warning("%s", mismatch)


def _bound(text: str | None) -> tuple[int, int] | None:
    found = _RANGE_END.fullmatch(text) if text is not None else None
    return (int(found[1]), int(found[2])) if found else None
