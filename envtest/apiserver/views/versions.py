"""An object is stored in one version and shown in any that its kind serves: converted, with the defaults of today."""

from collections.abc import Sequence

from windlass.envtest.apiserver.extension.conversion import converted
from windlass.envtest.apiserver.kinds import Resource
from windlass.envtest.apiserver.schema.pruning import defaulted, pruned
from windlass.envtest.apiserver.store.storage import Stored
from windlass.envtest.apiserver.values import Json, encode

__all__ = ("viewed", "views")


def viewed(stored: Stored, resource: Resource) -> Stored:
    """The object as a version of its kind shows it: converted, with the defaults of today (K-02, K-09)."""
    return views([stored], resource)[0]


def views(items: Sequence[Stored], resource: Resource) -> list[Stored]:
    """Objects as a version of their kind shows them; a conversion webhook is asked about all of them at once.

    Defaults are those of the version in which an object is stored, fields those of the version that is shown.
    """
    header, since = resource.header(), resource.defined_at
    due = [stored for stored in items if not stored.raw.startswith(header) or stored.revision < since]
    if not due:
        return list(items)
    shown = converted([_current(stored.obj, resource) for stored in due], resource.api_version, resource.conversion)
    new = iter(_view(stored, obj, resource) for stored, obj in zip(due, shown, strict=True))
    waiting = {id(stored) for stored in due}  # of one key there may be several, in a watch
    return [next(new) if id(stored) in waiting else stored for stored in items]


def _current(obj: Json, resource: Resource) -> Json:
    schema = resource.schemas.get(obj["apiVersion"])
    return obj if schema is None else defaulted(obj, schema)


def _view(stored: Stored, obj: Json, resource: Resource) -> Stored:
    if resource.schema is not None and obj["apiVersion"] != stored.obj["apiVersion"]:
        obj = pruned(obj, resource.schema, [])
    return Stored(stored.key, stored.revision, obj, encode(obj))
