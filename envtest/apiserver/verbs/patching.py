"""A patch is turned into a full new object and then takes the same way as an update; an apply may also create (5.9)."""

from typing import Any

import attrs

from windlass.envtest.apiserver.errors import bad_request, conflict, not_found
from windlass.envtest.apiserver.kinds import Resource
from windlass.envtest.apiserver.patch.applying import applied, first_applied
from windlass.envtest.apiserver.patch.managedfields import Writer
from windlass.envtest.apiserver.patch.patches import json_patch, merge_patch
from windlass.envtest.apiserver.patch.strategic import strategic_merge
from windlass.envtest.apiserver.store.storage import Stored
from windlass.envtest.apiserver.values import Json, copied
from windlass.envtest.apiserver.verbs.bodies import checked_body
from windlass.envtest.apiserver.verbs.operations import Operations
from windlass.envtest.apiserver.verbs.targets import Target, WriteOptions
from windlass.envtest.apiserver.views.versions import viewed

__all__ = ("APPLY", "JSON_PATCH", "MERGE_PATCH", "STRATEGIC_PATCH", "apply_patch", "patch_types", "patched")

JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
STRATEGIC_PATCH = "application/strategic-merge-patch+json"
APPLY = "application/apply-patch+yaml"


def patch_types(resource: Resource) -> tuple[str, ...]:
    """The content types a kind accepts (P-01)."""
    if resource.custom or resource.group == "apiextensions.k8s.io":
        return (JSON_PATCH, MERGE_PATCH, APPLY)
    return (JSON_PATCH, MERGE_PATCH, STRATEGIC_PATCH, APPLY)


def patched(old: Json, patch: Any, content_type: str) -> Json:
    """The object after a patch that is not an apply; `old` is not changed."""
    if content_type == JSON_PATCH:
        result = json_patch(old, patch)
    elif not isinstance(patch, dict):
        raise bad_request("error decoding patch: the patch must be an object")
    elif content_type == STRATEGIC_PATCH:
        result = strategic_merge(copied(old), patch)
    else:
        result = copied(merge_patch(old, patch))
    if not isinstance(result, dict) or not isinstance(result.get("metadata"), dict):
        raise bad_request("the patched object is not an object with metadata")
    return result


def apply_patch(
    operations: Operations, target: Target, patch: Any, content_type: str, *, options: WriteOptions
) -> tuple[Stored, bool]:
    """Patch an object; says whether it was created."""
    stored = operations.store.get(target.key)
    if content_type == APPLY:
        return _apply(operations, target, _configuration(patch, target), stored, options=options)
    if stored is None:
        raise not_found(target.resource.qualified, target.name)  # P-06
    body = patched(viewed(stored, target.resource).obj, patch, content_type)
    return operations.update_patched(target, body, stored, options), False


def _configuration(patch: Any, target: Target) -> Json:
    """What is applied: checked, and cut down to what the subresource may set (P-07, P-14)."""
    resource = target.resource
    if not isinstance(patch, dict) or not patch.get("apiVersion") or not patch.get("kind"):
        raise bad_request("error decoding YAML: Object 'Kind' or 'apiVersion' is missing")
    metadata = patch.get("metadata")
    if isinstance(metadata, dict) and metadata.get("managedFields"):
        raise bad_request("metadata.managedFields must be nil")
    config: Json = copied(patch)
    checked_body(config, target)
    config["metadata"].pop("managedFields", None)
    if target.subresource == "status":
        return {key: value for key, value in config.items() if key in ("apiVersion", "kind", "metadata", "status")}
    if resource.status:
        config.pop("status", None)
    return config


def _apply(
    operations: Operations, target: Target, config: Json, stored: Stored | None, *, options: WriteOptions
) -> tuple[Stored, bool]:
    resource, now = target.resource, operations.now()
    writer = Writer(options.manager, "Apply", resource.api_version, target.subresource)
    if stored is None:
        if target.subresource:
            raise not_found(resource.qualified, target.name)
        if config["metadata"].get("uid"):  # P-13
            raise conflict(
                resource.qualified,
                target.name,
                "uid mismatch: the provided object specified uid, and no existing object was found",
            )
        operations.check_create(target, options)
        managed = first_applied(config, writer, resource=resource, now=now)
        return operations.create(target, config, attrs.evolve(options, managed=managed)), True
    live = viewed(stored, resource).obj
    stated = config
    if target.subresource == "status":  # metadata of a status apply is not applied
        stated = config | {
            "metadata": {key: value for key, value in config["metadata"].items() if key in ("resourceVersion", "uid")}
        }
    result = applied(live, stated, writer, resource=resource, force=options.force, now=now)
    managed = result["metadata"].pop("managedFields")
    return operations.update_patched(target, result, stored, attrs.evolve(options, managed=managed)), False
