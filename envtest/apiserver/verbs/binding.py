"""A pod is bound to a node once, and by nothing but its subresource `binding`; no update may set `spec.nodeName`."""

from typing import Any

from windlass.envtest.apiserver.errors import Fault, bad_request, conflict, invalid
from windlass.envtest.apiserver.values import Json, copied
from windlass.envtest.apiserver.verbs.operations import Operations
from windlass.envtest.apiserver.verbs.targets import Target

__all__ = ("bind",)


def bind(operations: Operations, target: Target, body: Any, *, dry_run: bool = False) -> Json:
    """POST …/binding: name the node, and note that the pod has been scheduled; the Status of the success.

    Raises 404 without the pod, 409 for one that is bound or on its way out, 422 without a node's name.
    """
    node = body.get("target") if isinstance(body, dict) else None
    if not isinstance(node, dict):
        raise bad_request("a Binding with a target was expected")
    if node.get("kind") not in (None, "", "Node"):
        raise invalid("Binding", "", target.name, [Fault.unsupported("target.kind", node["kind"], ("Node", "<empty>"))])
    if not isinstance(node.get("name"), str) or not node["name"]:
        raise invalid("Binding", "", target.name, [Fault.required("target.name")])
    obj = copied(operations.get(target).obj)
    if obj["metadata"].get("deletionTimestamp"):
        raise conflict("pods/binding", target.name, f"pod {target.name} is being deleted, cannot be assigned to a host")
    if obj["spec"].get("nodeName"):
        detail = f'pod {target.name} is already assigned to node "{obj["spec"]["nodeName"]}"'
        raise conflict("pods/binding", target.name, detail)
    obj["spec"]["nodeName"] = node["name"]
    status = obj["status"] = dict(obj.get("status") or {})
    others = [one for one in status.get("conditions") or [] if one.get("type") != "PodScheduled"]
    scheduled = {
        "type": "PodScheduled",
        "status": "True",
        "lastProbeTime": None,
        "lastTransitionTime": operations.now(),
    }
    status["conditions"] = [*others, scheduled]
    if not dry_run:
        operations.finish(operations.stored(target), obj)
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}
