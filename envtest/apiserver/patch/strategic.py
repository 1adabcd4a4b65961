"""Strategic merge patch for built-in kinds: lists whose items have a key merge item by item. Pure.

The merge keys are a small table by field name, which is unambiguous in the kinds served here, not the Go types. The
directives `$patch: replace`, `$patch: delete`, `$retainKeys`, `$deleteFromPrimitiveList/…` and `$setElementOrder/…`
are understood.
"""

from typing import Any

from windlass.envtest.apiserver.values import Json, copied

__all__ = ("MERGED_SETS", "MERGE_KEYS", "strategic_merge")

MERGE_KEYS: dict[str, str] = {
    "containers": "name",
    "initContainers": "name",
    "ephemeralContainers": "name",
    "env": "name",
    "volumes": "name",
    "volumeMounts": "mountPath",
    "volumeDevices": "devicePath",
    "imagePullSecrets": "name",
    "hostAliases": "ip",
    "topologySpreadConstraints": "topologyKey",
    "ownerReferences": "uid",
    "conditions": "type",
    "taints": "key",
    "addresses": "type",
    "secrets": "name",
    "podIPs": "ip",
    "webhooks": "name",
}
MERGED_SETS = frozenset({"finalizers", "podCIDRs"})
_PORT_KEYS = ("containerPort", "port")


def strategic_merge(target: Json, patch: Json) -> Json:
    """The target with the patch merged in; `target` belongs to this function, the patch is not changed."""
    if patch.get("$patch") == "replace":
        return {key: copied(value) for key, value in patch.items() if key != "$patch"}
    if patch.get("$patch") == "delete":
        return {}
    retained = patch.get("$retainKeys")
    if isinstance(retained, list):
        target = {key: value for key, value in target.items() if key in retained}
    for key, value in patch.items():
        if key.startswith("$deleteFromPrimitiveList/"):
            field = key.partition("/")[2]
            target[field] = [item for item in target.get(field) or [] if item not in value]
        elif key.startswith("$"):
            continue
        elif value is None:
            target.pop(key, None)
        elif isinstance(value, dict):
            old = target.get(key)
            target[key] = strategic_merge(old if isinstance(old, dict) else {}, value)
        elif isinstance(value, list):
            target[key] = _merge_list(key, target.get(key) or [], value)
        else:
            target[key] = value
    _reorder(target, patch)
    return target


def _merge_key(field: str, items: list[Any]) -> str:
    if field != "ports":
        return MERGE_KEYS.get(field, "")
    found = (key for key in _PORT_KEYS for item in items if isinstance(item, dict) and key in item)
    return next(found, "")


def _merge_list(field: str, old: list[Any], patch: list[Any]) -> list[Any]:
    if field in MERGED_SETS:
        return [*old, *(item for item in patch if item not in old)]
    key = _merge_key(field, [*patch, *old])
    if not key or any(isinstance(item, dict) and item.get("$patch") == "replace" for item in patch):
        return [_clean(item) for item in patch if not (isinstance(item, dict) and set(item) == {"$patch"})]
    result = list(old)
    for item in patch:
        if not isinstance(item, dict):
            continue
        index = next((place for place, other in enumerate(result) if _matches(other, item, key)), None)
        if item.get("$patch") == "delete":
            if index is not None:
                del result[index]
        elif index is None:
            result.append(strategic_merge({}, item))
        else:
            result[index] = strategic_merge(result[index], item)
    return result


def _matches(other: Any, item: Json, key: str) -> bool:
    return isinstance(other, dict) and other.get(key) == item.get(key)


def _clean(item: Any) -> Any:
    return strategic_merge({}, item) if isinstance(item, dict) else copied(item)


def _reorder(target: Json, patch: Json) -> None:
    for directive, order in patch.items():
        if not directive.startswith("$setElementOrder/") or not isinstance(order, list):
            continue
        field = directive.partition("/")[2]
        items = target.get(field)
        if not isinstance(items, list):
            continue
        key = _merge_key(field, [*order, *items])
        rank = [item.get(key) if isinstance(item, dict) else item for item in order]
        places = {id(item): _rank(item, key, rank) for item in items}
        items.sort(key=lambda item: places[id(item)])


def _rank(item: Any, key: str, rank: list[Any]) -> int:
    value = item.get(key) if isinstance(item, dict) and key else item
    return rank.index(value) if value in rank else len(rank)
