"""The rules of metadata: what the server sets, what a client may change, when the generation counts. Pure.

Each function takes what was sent and what is stored and returns the object to store, or raises the refusal. The body
belongs to the caller and may be changed; the stored object is never touched. Kinds' own rules are in `builtins` and
`validation`.
"""

import datetime as dt
import random
import re
from typing import Any

from windlass.envtest.apiserver.errors import Fault
from windlass.envtest.apiserver.kinds import Resource
from windlass.envtest.apiserver.values import Json, same

__all__ = (
    "GC_FINALIZERS",
    "METADATA_FIELDS",
    "begin_deletion",
    "content_faults",
    "generated_name",
    "is_subdomain",
    "metadata_faults",
    "restore_on_update",
    "shape_faults",
    "spec_changed",
    "timestamp",
)

GC_FINALIZERS = {"Foreground": "foregroundDeletion", "Orphan": "orphan"}
_STANDARD_FINALIZERS = frozenset({"kubernetes", *GC_FINALIZERS.values()})
ANNOTATIONS_MAX = 262_144  # bytes (U-11)
_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
_SUBDOMAIN = re.compile(r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*\Z")
_LABEL_NAME = re.compile(r"[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?\Z")
_QUALIFIED = re.compile(
    r"(?:[a-z0-9](?:[-a-z0-9.]{0,251}[a-z0-9])?/)?[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?\Z"
)
_LABEL_VALUE = re.compile(r"(?:[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?\Z")
METADATA_FIELDS = frozenset(
    {
        *("name", "generateName", "namespace", "selfLink", "uid", "resourceVersion", "generation", "creationTimestamp"),
        *("deletionTimestamp", "deletionGracePeriodSeconds", "labels", "annotations", "ownerReferences", "finalizers"),
        *("clusterName", "managedFields"),
    }
)
"""What metadata may hold; anything else is dropped (K-01)."""
_STRINGS = ("name", "generateName", "namespace", "uid", "resourceVersion", "deletionTimestamp", "creationTimestamp")

_NAME_RULE = "name part must consist of alphanumeric characters, '-', '_' or '.'"
_VALUE_RULE = "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.'"
SUBDOMAIN_RULE = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start "
    "and end with an alphanumeric character (e.g. 'example.com', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)


def timestamp(now: dt.datetime) -> str:
    """Seconds and Z, as in creationTimestamp."""
    return now.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def generated_name(base: str, rng: random.Random) -> str:
    """CR-03: the base cut to 58 and five characters that spell no words."""
    return base[:58] + "".join(rng.choices(_ALPHABET, k=5))


def shape_faults(metadata: Any) -> str:
    """What in the metadata has the wrong JSON type, in one line; empty if nothing. It is answered with 400."""
    if not isinstance(metadata, dict):
        return "metadata: expected an object"
    for field in _STRINGS:
        if not isinstance(metadata.get(field, ""), (str, type(None))):
            return f"metadata.{field}: expected a string"
    for field, fits in _COLLECTIONS.items():
        if metadata.get(field) is not None and not fits(metadata[field]):
            return f"metadata.{field}: expected {_EXPECTED[fits]}"
    return ""


def _is_text_map(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(item, str) for item in value.values())


def _is_text_list(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _is_object_list(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, dict) for item in value)


_EXPECTED = {_is_text_map: "a map of strings", _is_text_list: "a list of strings", _is_object_list: "a list of objects"}
_COLLECTIONS = {
    "labels": _is_text_map,
    "annotations": _is_text_map,
    "finalizers": _is_text_list,
    "ownerReferences": _is_object_list,
    "managedFields": _is_object_list,
}


def metadata_faults(metadata: Json, resource: Resource) -> list[Fault]:
    """The rules every object keeps (U-11 and the names)."""
    faults = _name_faults(metadata.get("name") or "", resource) + content_faults(metadata)
    if not resource.custom and resource.group != "apiextensions.k8s.io":
        faults += [
            Fault.invalid(f"metadata.finalizers[{index}]", item, "name is neither a standard finalizer nor qualified")
            for index, item in enumerate(metadata.get("finalizers") or [])
            if "/" not in item and item not in _STANDARD_FINALIZERS
        ]
    return faults


def is_subdomain(name: str) -> bool:
    """Whether a name is made of lower case DNS labels."""
    return bool(_SUBDOMAIN.match(name)) and len(name) <= 253


def _name_faults(name: str, resource: Resource) -> list[Fault]:
    if not name:
        return [Fault.required("metadata.name", "name or generateName is required")]
    if resource.plural == "namespaces" and not resource.group:
        if _LABEL_NAME.match(name):
            return []
        return [Fault.invalid("metadata.name", name, "a lowercase RFC 1123 label is required (at most 63 characters)")]
    if resource.segment_names:
        found = next((part for part in ("/", "%") if part in name), "")
        detail = f"may not contain '{found}'" if found else f"may not be '{name}'" if name in (".", "..") else ""
        return [Fault.invalid("metadata.name", name, detail)] if detail else []
    if not is_subdomain(name):
        return [Fault.invalid("metadata.name", name, SUBDOMAIN_RULE)]
    return []


def content_faults(metadata: Json) -> list[Fault]:
    """The rules of labels, annotations, finalizers and owners, wherever metadata stand."""
    faults = [
        Fault.invalid("metadata.labels", key, _NAME_RULE)
        for key in metadata.get("labels") or {}
        if not _QUALIFIED.match(key)
    ]
    faults += [
        Fault.invalid("metadata.labels", value, _VALUE_RULE)
        for value in (metadata.get("labels") or {}).values()
        if not _LABEL_VALUE.match(value)
    ]
    annotations = metadata.get("annotations") or {}
    odd = [key for key in annotations if not _QUALIFIED.match(key.lower())]
    faults += [Fault.invalid("metadata.annotations", key, _NAME_RULE) for key in odd]
    if sum(len(key.encode()) + len(value.encode()) for key, value in annotations.items()) > ANNOTATIONS_MAX:
        faults.append(Fault.too_long("metadata.annotations", ANNOTATIONS_MAX))
    odd = [item for item in metadata.get("finalizers") or [] if not _QUALIFIED.match(item)]
    faults += [Fault.invalid("metadata.finalizers", item, _NAME_RULE) for item in odd]
    return faults + _owner_faults(metadata.get("ownerReferences") or [])


def _owner_faults(owners: list[Json]) -> list[Fault]:
    faults = [
        Fault.invalid(f"metadata.ownerReferences[{index}].{field}", owner.get(field, ""), "must not be empty")
        for index, owner in enumerate(owners)
        for field in ("apiVersion", "kind", "name", "uid")
        if not isinstance(owner.get(field), str) or not owner[field]
    ]
    if sum(owner.get("controller") is True for owner in owners) > 1:
        detail = "Only one reference can have Controller set to true"
        faults.append(Fault.invalid("metadata.ownerReferences", owners, detail))
    return faults


def restore_on_update(metadata: Json, old: Json) -> list[Fault]:
    """Put back what a client cannot change and report what it may not try to (U-09, U-10). Changes `metadata`."""
    faults = []
    if metadata.get("uid") and metadata["uid"] != old.get("uid"):
        faults.append(Fault.invalid("metadata.uid", metadata["uid"], "field is immutable"))
    if metadata.get("deletionTimestamp") and not old.get("deletionTimestamp"):
        faults.append(Fault.invalid("metadata.deletionTimestamp", metadata["deletionTimestamp"], "field is immutable"))
    for field in (
        "uid",
        "creationTimestamp",
        "generation",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
        "namespace",
    ):
        metadata.pop(field, None)
        if field in old:
            metadata[field] = old[field]
    metadata.pop("selfLink", None)
    if old.get("deletionTimestamp"):
        added = [item for item in metadata.get("finalizers") or [] if item not in (old.get("finalizers") or [])]
        if added:
            listed = ", ".join(f'"{item}"' for item in added)
            detail = (
                "no new finalizers can be added if the object is being deleted, "
                f"found new finalizers []string{{{listed}}}"
            )
            faults.append(Fault.forbidden("metadata.finalizers", detail))
    return faults


def spec_changed(old: Json, new: Json, resource: Resource) -> bool:
    """U-05: whether anything outside metadata (and status, where that is a subresource) differs."""
    if not resource.generation:
        return False
    hidden = {"metadata", "apiVersion", "kind", "status"} if resource.status else {"metadata", "apiVersion", "kind"}
    names = {name for name in (*old, *new) if name not in hidden}
    return any(name not in old or name not in new or not same(old[name], new[name]) for name in names)


def begin_deletion(metadata: Json, policy: str, now: str, *, generation: bool) -> bool:
    """Mark an object as being deleted, set the collector's finalizers (D-02, D-03, D-07); says if anything changed."""
    before = (metadata.get("deletionTimestamp"), list(metadata.get("finalizers") or []))
    finalizers = [item for item in before[1] if item not in GC_FINALIZERS.values()]
    if policy in GC_FINALIZERS:
        finalizers.append(GC_FINALIZERS[policy])
    elif not policy:  # the default keeps what is there
        finalizers = before[1]
    metadata["finalizers"] = finalizers
    if not finalizers:
        del metadata["finalizers"]
    if finalizers and not before[0]:
        metadata["deletionTimestamp"] = now
        metadata["deletionGracePeriodSeconds"] = 0
        if generation:
            metadata["generation"] = metadata.get("generation", 0) + 1  # U-07
    return (metadata.get("deletionTimestamp"), finalizers) != before
