"""What a user asks of the gate, and what it answered: one value each, fit to be a field of a job's spec and status.

This module does not know how anything is checked.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

import attrs

from windlass.manifests.markers import (
    ExclusiveMinimum,
    ListMap,
    Maximum,
    MaxItems,
    MaxLength,
    MinLength,
    Pattern,
)

__all__ = ("CHECKS_MAX", "CheckSpec", "CheckStatus", "GateSpec", "GateStatus", "Outcome")

CHECKS_MAX: Final = 32

Outcome = Literal["Passed", "Failed", "Error", "Skipped"]

_DNS_LABEL: Final = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"


@attrs.frozen
class CheckSpec:
    """One check: `name` tells it from the others of the gate, `check` is the name in the registry.

    A check that is not `required` is carried out and recorded, and does not block.
    """

    name: Annotated[str, MinLength(1), MaxLength(63), Pattern(_DNS_LABEL)]
    check: Annotated[str, MinLength(1), MaxLength(63)]
    required: bool = True
    timeout_seconds: Annotated[float, ExclusiveMinimum(0), Maximum(604_800)] = 600.0
    parameters: Mapping[str, Any] = attrs.field(factory=dict)


@attrs.frozen
class GateSpec:
    """The checks, in the order in which they are carried out. Without a required check the gate stays shut.

    With `failFast` those after the first required one that did not pass are not carried out.
    """

    checks: Annotated[tuple[CheckSpec, ...], ListMap("name"), MaxItems(CHECKS_MAX)] = ()
    fail_fast: bool = False


@attrs.frozen
class CheckStatus:
    """What one check found. `evidenceSha256` is the digest of the document that says how; see `evidence`."""

    name: str
    check: str
    required: bool
    outcome: Outcome
    reason: str
    message: str
    samples: int = 0
    duration_seconds: float = 0.0
    evidence_sha256: str = ""
    statistic: float | None = None
    threshold: float | None = None


@attrs.frozen
class GateStatus:
    """The verdict on one model, the one whose file has this digest, and on no other (A14)."""

    model_sha256: str
    passed: bool
    reason: str
    message: str
    checks: tuple[CheckStatus, ...] = ()
