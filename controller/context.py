"""A reconciler's hands: reads come from the cache, writes go straight to the server and are remembered.

Each write tells the cache which version to expect, and the controller does not run the key again before the cache has
caught up (F9); that holds for writes through `ctx.api` too. A context belongs to one run and is of no use after it.
"""

import asyncio
import builtins
import contextvars
import functools
import logging
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, TypeVar, overload

import attrs
import msgspec

from windlass.controller import finalizers, owners
from windlass.controller.journal import JournalFile
from windlass.controller.lease import FencingToken
from windlass.controller.recorder import EventType, Recorder
from windlass.controller.request import Request
from windlass.controller.scheme import Scheme
from windlass.controller.status import rebase, status_patch
from windlass.controller.subject import AnyObject, Subject, subject_and_status, subject_of
from windlass.controller.threads import run_in_thread
from windlass.controller.upserts import Mutate, Target, Upserted, create_or_patch
from windlass.informers.api import Api
from windlass.informers.cache import Cache
from windlass.informers.converter import json_names
from windlass.informers.errors import Conflict, Invalid, NotFound, UnregisteredKind
from windlass.informers.keys import Key
from windlass.informers.objects import Object
from windlass.informers.requests import PatchType
from windlass.informers.resources import Kind, Resource
from windlass.informers.typed import CustomResource, unstructure
from windlass.statemachine.journal import Entry, digest

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ("Context", "Services")

T = TypeVar("T", bound=CustomResource)
R = TypeVar("R")

# A concurrent writer of the same list or status can be faster a few times; more often is a fight worth an error.
_TRIES_MAX = 5


@attrs.frozen
class Services:
    """What contexts of one manager share."""

    cache: Cache
    scheme: Scheme
    recorder: Recorder
    field_manager: str
    clock: "Callable[[], datetime]"
    journal: JournalFile | None = None
    identity: str = ""
    threads: Executor = attrs.field(factory=lambda: ThreadPoolExecutor(thread_name_prefix="windlass"))


@attrs.define(eq=False, repr=False)
class Context:
    """One run's view of the cluster.

    Every method that writes raises `ApiError` when the server refuses and `ConnectionFailed` when it cannot be reached;
    a reconciler lets both pass: the key is then tried again with backoff.
    """

    request: Request
    log: "logging.LoggerAdapter[logging.Logger]"
    api: Api
    services: Services
    _fencing: "Callable[[], FencingToken | None]" = lambda: None

    @property
    def fencing_token(self) -> FencingToken | None:
        """What tells this process's writes from those of earlier holders of its Lease; None without a Lease.

        It is the token of the moment when the run began, for `windlass.controller.fencing.Fence` or a store of your
        own that refuses what comes with a smaller token than one it has seen. Raises LeadershipLost as soon as the
        Lease is known not to be held any more; that alone does not make a write safe, for it may be lost right after.
        """
        return self._fencing()

    @property
    def dry_run(self) -> bool:
        """Whether the server stores nothing of what is written. What acts outside of the cluster must then not act."""
        return self.api.client.dry_run

    # Reading.

    @overload
    async def get(self, kind: type[T], key: Key) -> T | None: ...
    @overload
    async def get(self, kind: Resource, key: Key) -> Object | None: ...

    async def get(self, kind: Kind, key: Key) -> AnyObject | None:
        """The object from the cache: an instance for a class, an Object for a Resource, None when there is none.

        Raises UnregisteredKind for a kind that no controller watches or reads: there are no hidden watches.
        """
        obj = self.services.cache.get(kind, key)
        return obj if obj is None or isinstance(kind, Resource) else obj.as_(kind)

    @overload
    async def list(
        self, kind: type[T], *, namespace: str | None = None, owner: AnyObject | None = None
    ) -> builtins.list[T]: ...
    @overload
    async def list(
        self, kind: Resource, *, namespace: str | None = None, owner: AnyObject | None = None
    ) -> builtins.list[Object]: ...

    async def list(
        self, kind: Kind, *, namespace: str | None = None, owner: AnyObject | None = None
    ) -> Sequence[AnyObject]:
        """The objects from the cache, of one namespace or all, and of one owner (by uid) or any."""
        uid = None if owner is None else subject_of(owner).uid
        found = self.services.cache.list(kind, namespace=namespace, owner_uid=uid)
        return found if isinstance(kind, Resource) else [obj.as_(kind) for obj in found]

    # Writing.

    async def apply(self, body: Mapping[str, Any], *, owner: AnyObject | None = None) -> Object:
        """Server-side apply of `body`, which names the fields that this controller wants to own.

        With `owner`, that object becomes the controller of what is written, and its namespace the default. Raises
        OwnerError for an owner that Kubernetes would not honour.
        """
        resource, body = self._prepare(body, owner)
        return await self.api.apply(resource, body, field_manager=self.services.field_manager)

    async def create(self, body: Mapping[str, Any], *, owner: AnyObject | None = None) -> Object:
        """Create the object; raises AlreadyExists if there is one. `owner` as in `apply`."""
        resource, body = self._prepare(body, owner)
        return await self.api.create(resource, body)

    async def create_or_patch(
        self, kind: Kind, key: Key, mutate: Mutate, *, owner: AnyObject | None = None
    ) -> Upserted:
        """Make the object what `mutate` makes of it, creating it if need be; sends what differs, if anything does.

        `mutate` gets the object as a dict, the present one or one with nothing but its name, changes it in place and
        may be called again when somebody else writes meanwhile. `owner` as in `apply`. Raises ControllerError if
        `mutate` changes the name, the namespace or the kind, and Conflict after a few tries. `apply` is the better
        choice where it is enough: it touches only the fields it names, and knows the keys of lists.
        """
        resource = self.services.scheme.require(kind, used_by="ctx.create_or_patch")
        try:
            cached = self.services.cache.get(resource, key)
        except UnregisteredKind:
            cached = None

        def owned(body: dict[str, Any]) -> None:
            mutate(body)
            if owner is not None:
                body |= owners.set_controller(body, subject_of(owner), namespaced=resource.namespaced)

        target = Target(resource, key, cached)
        return await create_or_patch(self.api, target, owned, field_manager=self.services.field_manager)

    async def delete(
        self, kind: Kind, key: Key, *, uid: str | None = None, resource_version: str | None = None
    ) -> bool:
        """Ask for the object's deletion; returns False if it was gone already.

        `uid` guards against a namesake, `resource_version` against an object that is not as it was read: Conflict.
        """
        try:
            await self.api.delete(kind, key, uid=uid, resource_version=resource_version)
        except NotFound:
            return False
        return True

    async def status(
        self, obj: AnyObject, /, *, on_conflict: Literal["raise", "retry"] = "raise", **changes: object
    ) -> bool:
        """Make the named fields of `.status` what `changes` says; returns whether anything was written.

        Nothing is sent when all are so already. What is sent holds only what differs, and the object's
        resourceVersion: if somebody wrote the object since it was read, that is a Conflict, and the key's next run
        decides anew; "retry" instead computes the difference against the object as it is now, a few times; of a list of
        conditions it then changes those that `changes` changed, and leaves others' as they are. None removes a field.
        An instance takes the class's field names, an Object the names in JSON. A condition keeps its transition time
        for as long as its status does. False when the object is gone.
        """
        desired = _desired_status(obj, changes)
        subject, current = self._subject_and_status(obj)
        resource = self.services.scheme.named(subject.api_version, subject.kind)
        tries = 0
        while True:
            patch = status_patch(subject, current, desired, now=self.services.clock())
            if patch is None:
                return False
            try:
                written = await self.api.patch(
                    resource,
                    subject.key,
                    patch,
                    type=PatchType.MERGE,
                    subresource="status",
                    field_manager=self.services.field_manager,
                )
            except NotFound:
                return False
            except Conflict:
                tries += 1
                if on_conflict == "raise" or tries == _TRIES_MAX:
                    raise
                live = await self._live(resource, subject)
                if live is None:
                    return False
                status = _status_in(live)
                desired, subject, current = rebase(current, desired, status), subject_of(live), status
            else:
                self._record(subject, current, written)
                return True

    def event(
        self,
        obj: AnyObject,
        *,
        reason: str,
        message: str,
        type: EventType = "Normal",  # noqa: A002  # the field's own name
        dedupe: str | None = None,
    ) -> "asyncio.Future[bool]":
        """Record a Kubernetes Event about `obj`. Returns at once; the future may be awaited, or ignored.

        `dedupe` names the occurrence: the same text for the same object is recorded once, whoever records it again.
        """
        return self.services.recorder.event(obj, type=type, reason=reason, message=message, dedupe=dedupe)

    async def offload(self, function: "Callable[..., R]", /, *args: Any, executor: Executor | None = None) -> R:
        """The result of `function(*args)`, computed off the loop: in a thread, or by the executor given.

        For work that fills a core give a ProcessPoolExecutor of your own; the function and its arguments must then be
        picklable. A function cannot be ended from outside: a run whose deadline passes waits for it (C9), so that no
        key is ever worked twice at once. Inside of it nothing of `ctx` may be used.
        """
        call = functools.partial(function, *args)
        if executor is None:
            return await run_in_thread(functools.partial(contextvars.copy_context().run, call), self.services.threads)
        return await run_in_thread(call, executor)

    async def add_finalizer(self, obj: AnyObject, name: str) -> bool:
        """Add the finalizer; returns whether it was this call that did.

        False also when deletion has begun, when it is too late. After True a reconciler returns and waits for the
        change to come back before it does anything outside the cluster (F1).
        """
        return await self._edit_finalizers(obj, name, finalizers.adding)

    async def remove_finalizer(self, obj: AnyObject, name: str) -> bool:
        """Remove the finalizer; returns whether it was this call that did. Everything it stood for must be gone."""
        return await self._edit_finalizers(obj, name, finalizers.removing)

    def __repr__(self) -> str:
        return f"<Context {self.request.key} {self.request.reconcile_id}>"

    def _record(self, subject: Subject, before: Mapping[str, Any], written: Object) -> None:
        """Put a transition into the journal. The write has been made: a full disk must not make it fail after all."""
        journal = self.services.journal
        if journal is None or self.dry_run:
            return
        after = _status_in(written)
        if not journal.changed(before, after):
            return
        source, target, event = journal.move(subject.kind, before, after)
        entry = Entry(
            at=self.services.clock(),
            source=source,
            target=target,
            cause=event or self.request.reason,
            trace_id=self.request.reconcile_id,
            writer=self.services.identity or self.services.field_manager,
            version_before=subject.resource_version,
            version_after=written.resource_version,
            digest=digest(before),
            generation=journal.generation(after),
            subject=f"{subject.kind} {subject.key}",
            uid=subject.uid,
        )
        try:
            journal.append(entry)
        except OSError as error:
            self.log.error("%s was not recorded in %s: %s", f"{entry.source} → {entry.target}", journal.path, error)

    async def _edit_finalizers(
        self, obj: AnyObject, name: str, edit: "Callable[[Subject, str], builtins.list[dict[str, Any]]]"
    ) -> bool:
        subject = subject_of(obj)
        resource = self.services.scheme.named(subject.api_version, subject.kind)
        tries = 0
        while True:
            patch = edit(subject, name)
            if not patch:
                return False
            try:
                await self.api.patch(resource, subject.key, patch, type=PatchType.JSON)
            except NotFound:
                return False
            except (Conflict, Invalid):
                # The test in the patch failed: somebody was faster. Look again, and do not fail for ever (F4).
                tries += 1
                if tries == _TRIES_MAX:
                    raise
                live = await self._live(resource, subject)
                if live is None:
                    return False
                subject = subject_of(live)
            else:
                return True

    def _prepare(self, body: Mapping[str, Any], owner: AnyObject | None) -> tuple[Resource, Mapping[str, Any]]:
        resource = self.services.scheme.named(str(body.get("apiVersion", "")), str(body.get("kind", "")))
        if owner is not None:
            body = owners.set_controller(body, subject_of(owner), namespaced=resource.namespaced)
        return resource, body

    async def _live(self, resource: Resource, subject: Subject) -> Object | None:
        """The object as the server has it now; None if it is gone or another has taken its name."""
        try:
            live = await self.api.get(resource, subject.key)
        except NotFound:
            return None
        return live if live.uid == subject.uid else None

    def _subject_and_status(self, obj: AnyObject) -> tuple[Subject, dict[str, Any]]:
        """With the status that the object had when it was read, if possible with what the class does not know."""
        if isinstance(obj, Object):
            return subject_and_status(obj)
        try:
            cached = self.services.cache.get(type(obj), obj.key)
        except UnregisteredKind:
            cached = None
        if cached is not None and cached.resource_version == obj.metadata.resource_version:
            return subject_of(obj), _status_in(cached)  # the copy may hold metadata alone, and call itself that
        status: dict[str, Any] = _plain(unstructure(obj)).get("status") or {}
        return subject_of(obj), status


def _desired_status(obj: AnyObject, changes: Mapping[str, object]) -> dict[str, Any]:
    """The changes under their names in JSON, as JSON values; None where a field is to go."""
    if isinstance(obj, Object):
        plain: dict[str, Any] = _plain(changes)
        return plain
    status: Any = getattr(obj, "status", None)
    if status is None:
        raise TypeError(f"{type(obj).__qualname__} has no status to write")
    written = _plain(unstructure(attrs.evolve(status, **changes)))
    names = json_names(status.__class__)
    return {names[attribute]: written.get(names[attribute]) for attribute in changes}


def _status_in(obj: Object) -> dict[str, Any]:
    return subject_and_status(obj)[1]


def _plain(value: Any) -> Any:
    """The JSON value as a reader would see it: tuples are lists, so that equal statuses compare equal."""
    return msgspec.json.decode(msgspec.json.encode(value))
