"""The population of every race: custom resources of about 1.5 KB, beside what a server adds to them.

This module does not know what is measured.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

from windlass.benchmarks.definition import defined
from windlass.informers.api import Api
from windlass.informers.client import Client
from windlass.informers.cluster import Cluster
from windlass.informers.errors import NotFound
from windlass.informers.keys import Key
from windlass.informers.requests import PatchType
from windlass.informers.resources import Resource

__all__ = ("DEFINITION", "GROUP", "WIDGET", "name_of", "population", "selections", "widget")

GROUP: Final = "bench.windlass.dev"
WIDGET: Final = Resource(GROUP, "v1", "Widget", "widgets")
_NAMESPACES: Final = Resource("", "v1", "Namespace", "namespaces", namespaced=False)
_AT_ONCE: Final = 32
_SHARDS: Final = 100
_OPEN: Final = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}

DEFINITION: Final = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": f"widgets.{GROUP}"},
    "spec": {
        "group": GROUP,
        "scope": "Namespaced",
        "names": {"plural": "widgets", "singular": "widget", "kind": "Widget", "listKind": "WidgetList"},
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "subresources": {"status": {}},
                "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": _OPEN, "status": _OPEN}}},
            }
        ],
    },
}


def name_of(index: int) -> str:
    """The name of one widget."""
    return f"widget-{index:06d}"


def widget(index: int, namespace: str) -> dict[str, Any]:
    """One widget as it is created."""
    return {
        "apiVersion": f"{GROUP}/v1",
        "kind": "Widget",
        "metadata": {
            "name": name_of(index),
            "namespace": namespace,
            "labels": {"app": "bench", "shard": str(index % _SHARDS)},
        },
        "spec": {
            "items": [{"name": f"item-{number}", "value": "v" * 24} for number in range(20)],
            "pad": "p" * 150,
        },
    }


def selections() -> list[str]:
    """200 selections by labels; each widget is in two of them."""
    halves = ("app=bench", "app!=other")
    return [f"{half},shard={number}" for half in halves for number in range(_SHARDS)]


@asynccontextmanager
async def population(
    cluster: Cluster, namespace: str, count: int, *, progress: Callable[[int], None] = lambda _: None
) -> AsyncIterator[Api]:
    """`count` widgets in a namespace of their own, all gone at the end. `progress` hears how many there are.

    The definition stays where it was before, and goes where it was not: others may use it at the same time.
    """
    async with Client(cluster) as client, defined(api := Api(client), WIDGET, DEFINITION):
        await api.create(_NAMESPACES, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
        try:
            await _create_all(api, namespace, count, progress)
            yield api
        finally:
            await _delete_all(api, namespace, count)
            with suppress(NotFound):
                await api.delete(_NAMESPACES, Key("", namespace))


async def _create_all(api: Api, namespace: str, count: int, progress: Callable[[int], None]) -> None:
    made = 0

    async def make(number: int) -> None:
        nonlocal made
        await api.create(WIDGET, widget(number, namespace))
        # As controllers leave them: with a status, and so with the managedFields of two managers.
        status = {"status": {"phase": "New", "observedGeneration": 1}}
        key = Key(namespace, name_of(number))
        await api.patch(WIDGET, key, status, type=PatchType.MERGE, subresource="status", field_manager="bench")
        made += 1
        progress(made)

    await _each(count, make)


async def _delete_all(api: Api, namespace: str, count: int) -> None:
    async def remove(number: int) -> None:
        with suppress(NotFound):
            await api.delete(WIDGET, Key(namespace, name_of(number)))

    # One by one is quicker than a collection: a server reads all its objects for each part of one that it deletes.
    await _each(count, remove)


async def _each(count: int, act: Callable[[int], Awaitable[None]]) -> None:
    numbers = iter(range(count))

    async def work() -> None:
        for number in numbers:
            await act(number)

    async with asyncio.TaskGroup() as group:
        for _ in range(_AT_ONCE):
            group.create_task(work())
