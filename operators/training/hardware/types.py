"""What a user asks of hardware, and what was given: one value each, fit to be a field of a job's spec and status.

This module does not know which hardware there is.
"""

from collections.abc import Mapping
from typing import Annotated, Final, Literal

import attrs

from windlass.manifests.markers import (
    Atomic,
    Maximum,
    MaxItems,
    MaxLength,
    MaxProperties,
    Minimum,
    MinItems,
    MinLength,
    Pattern,
    Rule,
    marked,
)
from windlass.manifests.quantities import Quantity

__all__ = (
    "EXPLANATION_LENGTH_MAX",
    "NODES_TOLD_MAX",
    "CpuFallback",
    "DomainStatus",
    "Form",
    "HardwareSpec",
    "HardwareStatus",
    "TopologySpec",
)

EXPLANATION_LENGTH_MAX: Final = 240  # of one line; there is one for each class, and there are at most eight
NODES_TOLD_MAX: Final = 16

Form = Literal["DevicePlugin", "DRA"]

_CLASS: Final = "^[a-z0-9]([-a-z0-9./]*[a-z0-9])?$"
_LEVEL: Final = "^[a-zA-Z0-9]([-a-zA-Z0-9_./]*[a-zA-Z0-9])?$"


@marked(Rule("has(self.required) != has(self.preferred)", message="expected either required or preferred"))
@attrs.frozen
class TopologySpec:
    """How close together the Pods must be: `zone`, `block`, `rack`, `clique`, `host`, or the key of a node label.

    With `required` the job waits until they fit into one domain of that level. With `preferred` the next broader level
    is tried, and the next, until they fit anywhere.
    """

    required: Annotated[str | None, MinLength(1), MaxLength(317), Pattern(_LEVEL)] = None
    preferred: Annotated[str | None, MinLength(1), MaxLength(317), Pattern(_LEVEL)] = None


@attrs.frozen
class CpuFallback:
    """What changes when the class is `cpu`: resources, batch size, and threads of numeric libraries.

    `resources` are both request and limit, and replace those of the same name. `batchSize` reaches the trainer as
    `WINDLASS_BATCH_SIZE`. Without `threads` there are as many as whole CPUs are asked for, and as many as the libraries
    choose if none are.
    """

    resources: Annotated[Mapping[str, Quantity], MaxProperties(16)] = attrs.field(factory=dict)
    batch_size: Annotated[int | None, Minimum(1), Maximum(1_000_000)] = None
    threads: Annotated[int | None, Minimum(1), Maximum(4096)] = None


@marked(
    Rule(
        "!has(self.alignment) || self.form == 'DRA'", message="alignment needs the form DRA: a device plugin knows none"
    )
)
@attrs.frozen
class HardwareSpec:
    """The machines that a job wants. `classes` are tried in this order; the first that can run the job is taken.

    A class is a profile's name (`nvidia`, `amd`, `gaudi`, `cs2`, `cpu`), one with a model (`nvidia-h100`), or the name
    of an extended resource (`google.com/tpu`). Each of the job's Pods gets `devices` of them, beside what `workload`
    asks for. `alignment` wants the devices of a Pod at one NUMA node or PCIe root. `allowMixed` lets Pods that train
    together have devices of several models. With `moveWhilePending` a job whose Pods wait in vain is given another of
    its classes.
    """

    classes: Annotated[
        tuple[Annotated[str, MinLength(1), MaxLength(253), Pattern(_CLASS)], ...], MinItems(1), MaxItems(8), Atomic()
    ]
    devices: Annotated[int, Minimum(1), Maximum(1024)] = 1
    form: Form = "DevicePlugin"
    topology: TopologySpec | None = None
    alignment: Literal["numaNode", "pcieRoot"] | None = None
    allow_mixed: bool = False
    move_while_pending: bool = True
    cpu: CpuFallback = CpuFallback()


@attrs.frozen
class DomainStatus:
    """The part of the cluster that the Pods are to stay in: the nodes whose label has this value; all without one."""

    label: str = ""
    value: str = ""
    required: bool = False


@attrs.frozen
class HardwareStatus:
    """What attempt `attempt` was given, and why: `explanation` has one line for each class that was looked at.

    While no class fits, `class` is empty and `message` says what is missing. `nodes` are those that had room when the
    class was chosen, at most 16 of them; the scheduler has the last word. `models` are the devices that fit, by the
    label of the profile. `claimVersion` is the version of the API in which devices are claimed, if they are. No field
    is ever absent, so that no older one is left behind.
    """

    attempt: int
    class_: str = ""
    message: str = ""
    form: str = ""
    claim_version: str = ""
    models: tuple[str, ...] = ()
    nodes: tuple[str, ...] = ()
    domain: DomainStatus = DomainStatus()
    explanation: tuple[str, ...] = ()
