"""Only a version that is `Ready` serves, and whatever happens to a version is a row of this table (W1).

`Evicted` is a version that was taken out of memory to make room: it is loaded again for the next request that asks for
it. The protocol's repository extension knows fewer words; `STATES` translates.
"""

from collections.abc import Mapping
from typing import Final

from windlass.statemachine import Machine

__all__ = ("MACHINE", "STATES")

MACHINE: Final = Machine(
    "model version",
    initial="Pending",
    transitions=(
        ("Pending", "load", "Loading"),
        ("Loading", "loaded", "Warming"),
        ("Warming", "warmed", "Ready"),
        ("coming", "fail", "Failed"),
        ("Failed", "retry", "Pending"),
        ("Ready", "retire", "Draining"),
        ("Ready", "evict", "Evicted"),
        ("Evicted", "demand", "Pending"),
        ("Evicted", "retire", "Unloaded"),
        ("Draining", "drained", "Unloaded"),
    ),
    final=("Unloaded",),
    groups={"coming": ("Pending", "Loading", "Warming")},
)

STATES: Mapping[str, str] = {
    "Pending": "LOADING",
    "Loading": "LOADING",
    "Warming": "LOADING",
    "Ready": "READY",
    "Draining": "UNLOADING",
    "Unloaded": "UNAVAILABLE",
    "Evicted": "UNAVAILABLE",
    "Failed": "UNAVAILABLE",
}
