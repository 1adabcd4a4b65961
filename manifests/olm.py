"""The bundle of the Operator Lifecycle Manager says of an operator what the kustomize base says, in OLM's words.

Pure: values in, values out.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from windlass.manifests.crd import Definable, stored_class
from windlass.manifests.deployment import Program, deployment
from windlass.manifests.kinds import info_of
from windlass.manifests.rbac import rules

__all__ = ("annotations", "cluster_service_version", "dockerfile")

_LABELS: Final = {
    "mediatype": "registry+v1",
    "manifests": "manifests/",
    "metadata": "metadata/",
}


def cluster_service_version(
    program: Program, kinds: Sequence[Definable], samples: Sequence[Mapping[str, Any]], *, description: str
) -> dict[str, Any]:
    """The ClusterServiceVersion: what the operator owns, what it may do, and how it runs."""
    made = deployment(program)
    strategy: dict[str, Any] = {
        "clusterPermissions": [{"serviceAccountName": program.name, "rules": rules(program.everywhere)}],
        "deployments": [{"name": program.name, "label": program.labels, "spec": made["spec"]}],
    }
    if program.at_home:
        strategy["permissions"] = [{"serviceAccountName": program.name, "rules": rules(program.at_home)}]
    return {
        "apiVersion": "operators.coreos.com/v1alpha1",
        "kind": "ClusterServiceVersion",
        "metadata": {
            "name": f"{program.name}.v{program.version}",
            "annotations": {
                "alm-examples": json.dumps(list(samples), indent=2, sort_keys=True),
                "capabilities": "Seamless Upgrades",
                "containerImage": program.image,
            },
        },
        "spec": {
            "displayName": program.name.capitalize(),
            "description": description,
            "version": program.version,
            "maturity": "alpha",
            "provider": {"name": program.name},
            "installModes": [
                {"type": mode, "supported": mode == "AllNamespaces"}
                for mode in ("OwnNamespace", "SingleNamespace", "MultiNamespace", "AllNamespaces")
            ],
            "install": {"strategy": "deployment", "spec": strategy},
            "customresourcedefinitions": {"owned": [_owned(kind) for kind in kinds]},
        },
    }


def _owned(kind: Definable) -> dict[str, Any]:
    cls = stored_class(kind)
    info = info_of(cls)
    words = (vars(cls).get("__doc__") or "").strip().partition("\n")[0]
    return {
        "name": info.crd_name,
        "kind": info.resource.kind,
        "version": info.resource.version,
        "displayName": info.resource.kind,
        "description": words or info.resource.kind,
    }


def annotations(program: Program) -> dict[str, Any]:
    """``metadata/annotations.yaml``: where things lie, and the channel."""
    return {"annotations": _annotations(program)}


def dockerfile(program: Program) -> str:
    """The image that carries the bundle to a catalog."""
    labels = [f"LABEL {name}={value}" for name, value in _annotations(program).items()]
    return "\n".join(["FROM scratch", *labels, "COPY manifests /manifests/", "COPY metadata /metadata/", ""])


def _annotations(program: Program) -> dict[str, str]:
    prefix = "operators.operatorframework.io.bundle"
    return {
        **{f"{prefix}.{name}.v1": value for name, value in _LABELS.items()},
        f"{prefix}.package.v1": program.name,
        f"{prefix}.channels.v1": "alpha",
        f"{prefix}.channel.default.v1": "alpha",
    }
