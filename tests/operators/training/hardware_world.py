"""Nodes and Pods as an API server tells of them, in a few words."""

import json

from windlass.informers.typed import structure
from windlass.operators.training.hardware.answer import Placement, Unplaceable
from windlass.operators.training.hardware.builtin import BUILT_IN
from windlass.operators.training.hardware.machines import load_of, machine_of, usage_of
from windlass.operators.training.hardware.placement import Wish, place
from windlass.operators.training.hardware.registry import class_of, hardware_registry
from windlass.operators.training.hardware.types import HardwareSpec

REGISTRY = hardware_registry(discover=lambda: ())
RACK, BLOCK, ZONE = (
    "cloud.provider.com/topology-rack",
    "cloud.provider.com/topology-block",
    "topology.kubernetes.io/zone",
)
H100, A100 = "NVIDIA-H100-80GB-HBM3", "NVIDIA-A100-SXM4-80GB"


def node(name, *, gpus=0, model=None, labels=None, taints=(), ready="True", conditions=(), **more):
    room = {"cpu": "8", "memory": "32Gi", "pods": "110"} | more.pop("room", {})
    if gpus:
        room["nvidia.com/gpu"] = str(gpus)
    labels = {"kubernetes.io/hostname": name} | (labels or {})
    if model:
        labels["nvidia.com/gpu.product"] = model
    found = [{"type": "Ready", "status": ready}, *({"type": one, "status": "True"} for one in conditions)]
    return {
        "metadata": {"name": name, "labels": labels},
        "spec": {"taints": list(taints), **more},
        "status": {"allocatable": room, "conditions": found},
    }


def pod(where, requests, *, phase="Running", init=(), **spec):
    containers = [{"name": "main", "resources": {"requests": requests, "limits": requests}}]
    spec = {"nodeName": where, "containers": containers, "initContainers": list(init), **spec}
    return {"metadata": {"name": "x"}, "spec": spec, "status": {"phase": phase}}


def template(*, resources=None, selector=None, tolerations=()):
    container = {"name": "trainer", "image": "example.com/t:1"}
    if resources:
        container["resources"] = {"requests": resources}
    spec = {"containers": [container]} | ({"nodeSelector": selector} if selector else {})
    return {"spec": spec | ({"tolerations": list(tolerations)} if tolerations else {})}


def wish(*classes, claim_version="", pods=1, of=None, **spec):
    made = structure({"classes": list(classes), **spec}, HardwareSpec)
    understood = tuple(class_of(one, REGISTRY) for one in made.classes)
    return Wish(
        spec=made,
        classes=understood,
        template=of or template(),
        pods=pods,
        profiles=BUILT_IN,
        claim_version=claim_version,
    )


def machines(*nodes):
    return [machine_of(json.dumps(one).encode()) for one in nodes]


def taken(*pods):
    loads = [load_of(json.dumps(one).encode()) for one in pods]
    return usage_of(one for one in loads if one is not None)


def placed(wanted, nodes, pods=()) -> Placement:
    found = place(wanted, machines(*nodes), taken(*pods))
    assert isinstance(found, Placement), found
    return found


def unplaced(wanted, nodes, pods=()) -> Unplaceable:
    found = place(wanted, machines(*nodes), taken(*pods))
    assert isinstance(found, Unplaceable), found
    return found
