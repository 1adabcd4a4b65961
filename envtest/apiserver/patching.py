"""A patch is turned into a full new object and then takes the same way as an update; an apply may also create (5.9)."""

from typing import Any

from windlass.envtest.apiserver.errors import bad_request, not_found
from windlass.envtest.apiserver.kinds import Resource
from windlass.envtest.apiserver.operations import Operations, Target, WriteOptions, viewed
from windlass.envtest.apiserver.patches import json_patch, merge_patch
from windlass.envtest.apiserver.storage import Stored
from windlass.envtest.apiserver.strategic import strategic_merge
from windlass.envtest.apiserver.values import Json, copied

__all__ = ("APPLY", "JSON_PATCH", "MERGE_PATCH", "STRATEGIC_PATCH", "apply_patch", "patch_types", "patched")

JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
STRATEGIC_PATCH = "application/strategic-merge-patch+json"
APPLY = "application/apply-patch+yaml"


def patch_types(resource: Resource) -> tuple[str, ...]:
    """The content types a kind accepts (P-01)."""
    if resource.custom or resource.group == "apiextensions.k8s.io":
        return (JSON_PATCH, MERGE_PATCH)
    return (JSON_PATCH, MERGE_PATCH, STRATEGIC_PATCH)


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
    if stored is None:
        raise not_found(target.resource.qualified, target.name)  # P-06
    body = patched(viewed(stored, target.resource).obj, patch, content_type)
    return operations.update_patched(target, body, stored, options), False
