"""Who last set which field: the bookkeeping behind server-side apply. (Recorded from the apply issue on.)"""

import attrs
from windlass.envtest.apiserver.kinds import Resource
from windlass.envtest.apiserver.values import Json

__all__ = ("Writer", "record_update", "without_times")


@attrs.frozen
class Writer:
    """The key of one entry (P-10)."""

    manager: str
    operation: str
    api_version: str
    subresource: str = ""


def record_update(obj: Json, old: Json | None, writer: Writer, *, resource: Resource, now: str) -> None:
    """Attribute the changes of a plain write."""


def without_times(obj: Json) -> Json:
    """The object without the times of its entries, for the no-op rule (U-08)."""
    return obj
