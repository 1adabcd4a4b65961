"""A cache answers reads from informers that somebody declared; any other kind is an error, never a hidden watch.

This module does not know controllers; it offers them reads, the wait for their own writes, and readiness.
"""

import asyncio
from collections.abc import Collection, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager

from windlass.informers.api import Write
from windlass.informers.client import Client
from windlass.informers.errors import NotSynced, UnregisteredKind
from windlass.informers.feed import FeedOptions
from windlass.informers.informer import Informer
from windlass.informers.keys import Key
from windlass.informers.objects import Object
from windlass.informers.resources import Kind, Resource, resource_of

__all__ = ("Cache",)

OWNER_UID = "owner uid"
_Selection = tuple[Resource, str | None, str | None, bool]


def _owner_uids(one: Object) -> list[str]:
    # Most objects have no owner, and seeing that is cheaper than decoding.
    return [owner.uid for owner in one.owner_references] if b'"ownerReferences":' in one.raw else []


class Cache:
    """Informers by resource and selection, over the same namespaces. Inert until `run`."""

    def __init__(
        self, client: Client, *, namespace: str | Collection[str] | None = None, options: FeedOptions | None = None
    ) -> None:
        self.client = client
        self._namespace = namespace
        self._options = options
        self._informers: dict[_Selection, Informer] = {}
        self._by_resource: dict[Resource, list[Informer]] = {}
        self._group: asyncio.TaskGroup | None = None

    def informer(
        self, kind: Kind, *, labels: str | None = None, fields: str | None = None, metadata_only: bool = False
    ) -> Informer:
        """The informer of this kind and selection, declared now if it was not; started at once if the cache runs."""
        selection = (resource_of(kind), labels, fields, metadata_only)
        informer = self._informers.get(selection)
        if informer is None:
            informer = Informer(
                self.client,
                selection[0],
                namespace=self._namespace,
                labels=labels,
                fields=fields,
                metadata_only=metadata_only,
                options=self._options,
            )
            self._informers[selection] = informer
            self._by_resource.setdefault(informer.resource, []).append(informer)
            self._start(informer)
        return informer

    @property
    def informers(self) -> tuple[Informer, ...]:
        """Every informer declared."""
        return tuple(self._informers.values())

    def get(self, kind: Kind, key: Key) -> Object | None:
        """The object as last seen; None when there is none. Raises UnregisteredKind for a kind nobody declared."""
        return self._declared(kind).store.get(key)

    def expect(self, kind: Kind, key: Key, resource_version: str, *, deleted_uid: str | None = None) -> None:
        """A write of ours has been answered with this version (or has deleted this uid): reads are to include it.

        A kind that is not cached is nobody's to wait for.
        """
        for informer in self._of(resource_of(kind)):
            if deleted_uid is not None:
                informer.barrier.expect_deleted(key, deleted_uid)
            elif resource_version:
                informer.barrier.expect(key, resource_version)

    async def caught_up(self, kind: Kind, key: Key, timeout: float = 5.0) -> bool:
        """Wait until reads of this object include our own writes; False after `timeout` seconds (then go on)."""
        results = [await one.barrier.wait(key, timeout) for one in self._of(resource_of(kind))]
        return all(results)

    def writing(self, resource: Resource, key: Key) -> AbstractContextManager[Write]:
        """An observer for `Api`: a write of this key is on its way."""
        informers = self._of(resource)
        return informers[0].barrier.writing(key) if len(informers) == 1 else _writing_to(informers, key)

    async def ready(self, timeout: float | None = None) -> None:
        """Wait until every informer is synced. Raises NotSynced, naming each kind that is not, and why."""
        try:
            async with asyncio.timeout(timeout):
                for informer in self.informers:
                    await informer.ready()
        except TimeoutError:
            late = [f"{one.resource}: {one.why()}" for one in self.informers if not one.has_synced]
            raise NotSynced(f"no complete copy after {timeout:g} s of {'; '.join(late)}") from None

    def cut_off(self, limit_seconds: float) -> str | None:
        """Which informers have been cut off from the server for the limit or longer, and why; None when none."""
        lost = [
            f"{one.resource} has been cut off for {one.cut_off_seconds():.0f} s: {one.why()}"
            for one in self.informers
            if one.is_cut_off(limit_seconds)
        ]
        return "; ".join(lost) or None

    async def run(self) -> None:
        """Run every informer, and those declared later, until cancelled."""
        if self._group is not None:
            raise RuntimeError("the cache is running already")
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                for informer in self.informers:
                    self._start(informer)
                await asyncio.get_running_loop().create_future()
        finally:
            self._group = None

    def set_namespaces(self, namespaces: Collection[str]) -> None:
        """Follow these namespaces from now on."""
        self._namespace = frozenset(namespaces)
        for informer in self.informers:
            if informer.resource.namespaced:
                informer.set_namespaces(namespaces)

    def _start(self, informer: Informer) -> None:
        if self._group is not None:
            self._group.create_task(informer.run(), name=f"informer {informer.resource}")

    def _of(self, resource: Resource) -> Sequence[Informer]:
        return self._by_resource.get(resource, ())

    def _declared(self, kind: Kind) -> Informer:
        resource = resource_of(kind)
        whole = self._informers.get((resource, None, None, False))
        if whole is not None:
            return whole
        found = self._of(resource)
        if len(found) == 1:
            return found[0]
        what = "was declared with several selections: read the informer's own store" if found else "was never declared"
        raise UnregisteredKind(f"{resource} cannot be read from the cache: it {what}; call cache.informer() before")

    def __repr__(self) -> str:
        synced = sum(one.has_synced for one in self.informers)
        return f"<Cache informers={len(self._informers)} synced={synced}>"

    def list(self, kind: Kind, *, namespace: str | None = None, owner_uid: str | None = None) -> list[Object]:
        """The objects as last seen: all, those of a namespace, those of an owner. Raises UnregisteredKind."""
        store = self._declared(kind).store
        if owner_uid is None:
            return store.list(namespace)
        if not store.has_index(OWNER_UID):
            store.add_index(OWNER_UID, _owner_uids)
        found = store.by_index(OWNER_UID, owner_uid)
        return found if namespace is None else [one for one in found if one.namespace == namespace]


@contextmanager
def _writing_to(informers: Sequence[Informer], key: Key) -> Iterator[Write]:
    with ExitStack() as stack:
        yield _Writes([stack.enter_context(one.barrier.writing(key)) for one in informers])


class _Writes:
    def __init__(self, writes: Sequence[Write]) -> None:
        self._writes = writes

    def wrote(self, written: Object) -> None:
        for one in self._writes:
            one.wrote(written)

    def deleting(self, uid: str) -> None:
        for one in self._writes:
            one.deleting(uid)
