"""lightkube as its documentation says: list, watch and patch of a generic resource."""

import asyncio

from lightkube import AsyncClient, KubeConfig
from lightkube.generic_resource import create_namespaced_resource
from lightkube.types import PatchType
from plain import Operator
from task import read_task

WIDGET = create_namespaced_resource("bench.windlass.dev", "v1", "Widget", "widgets")


def trimmed(item):
    item.metadata.managedFields = None
    return (item.metadata.namespace, item.metadata.name), item


class Lightkube(Operator):
    def __init__(self, task):
        super().__init__(task)
        self.client = AsyncClient(KubeConfig.from_file(task.kubeconfig))

    async def list(self):
        found = self.client.list(WIDGET, namespace="*")
        async for item in found:
            key, value = trimmed(item)
            self.store[key] = value
        return found.resourceVersion

    async def watch(self, version):
        async for _, item in self.client.watch(WIDGET, namespace="*", resource_version=version):
            self.changed(*trimmed(item))

    def phase(self, item):
        return (item.status or {}).get("phase")

    def stamp(self, item):
        return item.spec.get("stamp")

    async def patch(self, key, body):
        await self.client.patch(WIDGET.Status, key[1], body, namespace=key[0], patch_type=PatchType.MERGE)


async def main():
    await Lightkube(read_task()).race()


asyncio.run(main())
