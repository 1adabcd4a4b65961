"""Server-side apply: a statement is merged in, what is no longer stated goes, nobody's field is taken silently.

P-07 … P-14. Pure; `patching` finds the object and writes the result.
"""

from collections.abc import Iterable
from typing import Any

from windlass.envtest.apiserver.errors import ApiError
from windlass.envtest.apiserver.kinds import Resource
from windlass.envtest.apiserver.patch.fieldsets import Path, Shape, element, leaves, shape_of, shown
from windlass.envtest.apiserver.patch.managedfields import Entry, Writer, read_entries, written_entries
from windlass.envtest.apiserver.values import Json, copied, decode, same

__all__ = ("applied", "first_applied")


def first_applied(config: Json, writer: Writer, *, resource: Resource, now: str) -> list[Json]:
    """The managedFields of an object that an apply creates."""
    return written_entries([Entry(writer, frozenset(leaves(config, shape_of(resource))), now)])


def applied(live: Json, config: Json, writer: Writer, *, resource: Resource, force: bool, now: str) -> Json:
    """The live object with the configuration applied; raises 409 with one cause a conflict. Changes neither."""
    shape = shape_of(resource)
    wanted, present = leaves(config, shape), leaves(live, shape)
    entries = read_entries(live["metadata"])
    others = [entry for entry in entries if entry.writer != writer]
    taken = {path for path, value in wanted.items() if path in present and not same(value, present[path])}
    conflicts = [(entry.writer, path) for entry in others for path in sorted(entry.paths & taken)]
    if conflicts and not force:
        raise _refusal(conflicts)
    others = [Entry(entry.writer, entry.paths - taken, entry.time) for entry in others]
    before = next((entry.paths for entry in entries if entry.writer == writer), frozenset[Path]())
    held = frozenset[Path]().union(*(entry.paths for entry in others)) | wanted.keys()
    result: Json = _merge(copied(live), config, shape)
    for path in sorted(before - wanted.keys(), key=len):
        if not _identifies(path) and not any(other[: len(path)] == path for other in held):
            _remove(result, path, shape, held)
    mine = Entry(writer, frozenset(wanted), now)
    place = next((index for index, entry in enumerate(entries) if entry.writer == writer), len(others))
    # Where it stood: an apply that changes nothing must leave the order as it is, or it would be a change (U-08).
    result["metadata"]["managedFields"] = written_entries([*others[:place], mine, *others[place:]])
    for field in ("resourceVersion", "uid"):
        if config["metadata"].get(field):
            result["metadata"][field] = config["metadata"][field]
    return result


def _refusal(conflicts: list[tuple[Writer, Path]]) -> ApiError:
    causes = [
        {"reason": "FieldManagerConflict", "message": f"conflict with {_named(writer)}", "field": shown(path)}
        for writer, path in conflicts
    ]
    if len(conflicts) == 1:
        summary = f"1 conflict: {causes[0]['message']}: {causes[0]['field']}"
    else:
        groups: dict[str, list[str]] = {}
        for writer, path in conflicts:
            groups.setdefault(_named(writer), []).append(f"- {shown(path)}")
        listed = "\n".join("\n".join([f"conflicts with {name}:", *paths]) for name, paths in groups.items())
        summary = f"{len(conflicts)} conflicts: {listed}"
    return ApiError(409, "Conflict", f"Apply failed with {summary}", details={"causes": causes})


def _named(writer: Writer) -> str:
    subresource = f' with subresource "{writer.subresource}"' if writer.subresource else ""
    using = f" using {writer.api_version}" if writer.operation == "Update" else ""
    return f'"{writer.manager}"{subresource}{using}'


def _merge(live: Any, config: Any, shape: Shape) -> Any:
    """The configuration over the live value; `live` belongs to this function."""
    if isinstance(config, dict) and isinstance(live, dict) and not shape.atomic_map:
        for key, value in config.items():
            part = Shape(None, key) if key == "metadata" else shape.child(key)
            live[key] = _merge(live.get(key), value, part)
        return live
    keys = shape.list_keys(config) if isinstance(config, list) and isinstance(live, list) else None
    if keys is None:
        return copied(config)
    places = {element(item, keys, shape): index for index, item in enumerate(live)}
    for item in config:
        index = places.get(element(item, keys, shape))
        if index is None:
            live.append(copied(item))
        elif keys:
            live[index] = _merge(live[index], item, shape.item())
    return live


def _identifies(path: Path) -> bool:
    """Whether a path is a key field of its own list item: it goes with the item or not at all."""
    if len(path) < 2 or not path[-2].startswith("k:"):
        return False
    return path[-1][2:] in decode(path[-2][2:])


def _remove(obj: Json, path: Path, shape: Shape, held: Iterable[Path]) -> None:
    """Take out what a path names, and the maps around it that are empty then and that nobody holds."""
    trail: list[tuple[Any, Any]] = []
    current: Any = obj
    for depth, part in enumerate(path):
        key = _key(current, part, shape)
        if key is None:
            return
        trail.append((current, key))
        current = current[key]
        shape = _below(shape, key, part, depth)
    for depth in range(len(trail) - 1, -1, -1):
        container, key = trail[depth]
        whole = depth == len(trail) - 1
        if not whole and (container[key] or isinstance(key, int) or path[: depth + 1] in held or depth == 0):
            return
        del container[key]


def _below(shape: Shape, key: Any, part: str, depth: int) -> Shape:
    if isinstance(key, int):
        return shape.item()
    return Shape(None, part[2:]) if depth == 0 and part == "f:metadata" else shape.child(part[2:])


def _key(container: Any, part: str, shape: Shape) -> Any:
    if part.startswith("f:"):
        return part[2:] if isinstance(container, dict) and part[2:] in container else None
    if not isinstance(container, list):
        return None
    keys = shape.list_keys(container) or ()
    return next((index for index, item in enumerate(container) if element(item, keys, shape) == part), None)
