"""What a verb is asked for: the object or collection that a URL names, and the options of a write or a deletion."""

import attrs

from windlass.envtest.apiserver.extension.webhooks import Write
from windlass.envtest.apiserver.identity import User
from windlass.envtest.apiserver.kinds import Resource
from windlass.envtest.apiserver.store.storage import Key
from windlass.envtest.apiserver.values import Json

__all__ = ("DeleteOptions", "Target", "WriteOptions", "sent_options", "write_of")


@attrs.frozen
class Target:
    """What a URL names; `name` and `namespace` may be empty."""

    resource: Resource
    namespace: str = ""
    name: str = ""
    subresource: str = ""

    @property
    def key(self) -> Key:
        """Where the object is stored."""
        return Key(self.resource.place, self.namespace, self.name)


@attrs.frozen
class WriteOptions:
    """The query of a write. `force` is for applies. `warnings` collects what goes into Warning headers.

    `user` is who writes; None is the server itself, which may do everything.
    """

    dry_run: bool = False
    manager: str = "unknown"
    validation: str = "Warn"  # fieldValidation: Strict, Warn or Ignore
    force: bool = False
    managed: list[Json] | None = None  # the managedFields of an apply, which knows them before the write
    sent: Json = attrs.field(factory=dict)  # the options as webhooks are shown them
    warnings: list[str] = attrs.field(factory=list)
    user: User | None = None


@attrs.frozen
class DeleteOptions:
    """The options of a deletion; `policy` is empty for the default."""

    dry_run: bool = False
    policy: str = ""
    uid: str | None = None
    resource_version: str | None = None
    sent: Json = attrs.field(factory=dict)  # the options as webhooks are shown them
    name: str | None = None  # the name in the URL, if it is not that of the object: a collection has none


def sent_options(kind: str, options: Json) -> Json:
    """Options as webhooks are shown them."""
    return {"kind": f"{kind}Options", "apiVersion": "meta.k8s.io/v1"} | options


def write_of(target: Target, obj: Json, old: Json | None, options: WriteOptions) -> Write:
    """A create or an update as admission sees it."""
    operation = "CREATE" if old is None else "UPDATE"
    place = (target.namespace, target.name, target.subresource)
    sent = sent_options(operation.capitalize(), options.sent)
    return Write.of(target.resource, operation, place, obj=obj, old=old, options=sent, dry_run=options.dry_run)
