"""Whether a node can run Pods of a job in one class, and how many: pure, and each no has its reason in a few words.

This module does not know other nodes, nor which of those that can will be taken.
"""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, Final

import attrs

from windlass.operators.training.hardware.answer import Placement
from windlass.operators.training.hardware.machines import Machine, taken_by
from windlass.operators.training.hardware.registry import HardwareClass
from windlass.operators.training.hardware.tolerations import Toleration, tolerates, toleration_of

__all__ = ("Candidate", "Demand", "demand_of", "judge")

_KEEPS_OUT: Final = ("NoSchedule", "NoExecute")


@attrs.frozen
class Demand:
    """What one Pod of the job asks in one class. `device` is what makes the class: a resource or a DeviceClass."""

    of: HardwareClass
    device: str | None
    amounts: Mapping[str, Decimal]
    tolerations: tuple[Toleration, ...]
    selector: Mapping[str, str]


@attrs.frozen
class Candidate:
    """A node with room for so many of the Pods.

    `soft` counts taints that ask to stay away, `spared` is how many devices it has that the class does not use, taken
    or not: whoever takes the rest of such a node keeps those away who come for a device later.
    """

    machine: Machine
    slots: int
    free: Mapping[str, Decimal]
    soft: int
    spared: Decimal


def demand_of(template: Mapping[str, Any], placement: Placement) -> Demand:
    """What a Pod of this template asks, which has been dressed for the placement's class."""
    profile, spec = placement.of.profile, template["spec"]
    amounts = dict(taken_by(spec))
    device = profile.device_class if placement.form == "DRA" else profile.resource
    if device is not None:
        amounts[device] = Decimal(placement.spec.devices)
    tolerations = tuple(toleration_of(one) for one in spec.get("tolerations") or ())
    return Demand(placement.of, device, amounts, tolerations, spec.get("nodeSelector") or {})


def judge(
    machine: Machine, demand: Demand, *, taken: Mapping[str, Decimal], devices: frozenset[str]
) -> Candidate | str:
    """The node as a candidate, or why it is none. `devices` are the devices of all classes there are."""
    free = {name: amount - taken.get(name, Decimal(0)) for name, amount in machine.room.items()}
    obstacle = next(_obstacles(machine, demand, free=free), None)
    if obstacle is not None:
        return obstacle
    return Candidate(
        machine,
        slots=min(int(free[name] // amount) for name, amount in demand.amounts.items() if amount > 0),
        free=free,
        soft=sum(one.effect == "PreferNoSchedule" and not tolerates(demand.tolerations, one) for one in machine.taints),
        spared=sum((machine.room.get(name, Decimal(0)) for name in devices - {demand.device}), Decimal(0)),
    )


def _obstacles(machine: Machine, demand: Demand, *, free: Mapping[str, Decimal]) -> Iterator[str]:
    """Everything that speaks against the node; what is wrong for good before what may pass."""
    profile = demand.of.profile
    if demand.device is not None and machine.room.get(demand.device, Decimal(0)) <= 0:
        yield f"without {demand.device}"
    if demand.of.model is not None and not _is_model(machine, profile.model_label, demand.of.model):
        yield f"of another model than {demand.of.model}"
    if machine.obstacle:
        yield machine.obstacle
    for fault in sorted(machine.faults & set(profile.faults)):
        yield f"with the fault {fault}"
    for taint in machine.taints:
        if taint.effect in _KEEPS_OUT and not tolerates(demand.tolerations, taint):
            yield f"with the taint {taint.key}"
    if not demand.selector.items() <= machine.labels.items():
        yield "outside of the node selector"
    for name, amount in sorted(demand.amounts.items()):
        if amount > free.get(name, Decimal(0)):
            yield f"with too little {name} free"


def _is_model(machine: Machine, label: str | None, model: str) -> bool:
    """Whether the model is among the words of the label: h100 is one of NVIDIA-H100-80GB-HBM3's."""
    words = machine.labels.get(label or "", "").lower().replace("_", "-").split("-")
    wanted = model.split("-")
    return any(words[start : start + len(wanted)] == wanted for start in range(len(words)))
