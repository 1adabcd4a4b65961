"""kr8s as its documentation says: get, watch and patch of a class of one's own."""

import asyncio

import kr8s
from kr8s.asyncio.objects import new_class
from plain import Operator
from task import read_task

WIDGET = new_class(kind="Widget", version="bench.windlass.dev/v1", namespaced=True)


def trimmed(item):
    item.raw["metadata"].pop("managedFields", None)
    return (item.namespace, item.name), item


class Kr8s(Operator):
    def __init__(self, task, api):
        super().__init__(task)
        self.api = api

    async def list(self):
        async for item in self.api.get(WIDGET, namespace=kr8s.ALL):
            key, value = trimmed(item)
            self.store[key] = value
        # The version of the list is not told; that of its youngest item will do.
        return max((item.metadata.resourceVersion for item in self.store.values()), key=int, default=None)

    async def watch(self, version):
        while True:  # it ends when the server closes the connection
            async for _, item in self.api.watch(WIDGET, namespace=kr8s.ALL, since=version):
                version = item.metadata.resourceVersion
                self.changed(*trimmed(item))

    def phase(self, item):
        return item.raw.get("status", {}).get("phase")

    def stamp(self, item):
        return item.raw["spec"].get("stamp")

    async def patch(self, key, body):
        await self.store[key].patch(body, subresource="status")


async def main():
    task = read_task()
    await Kr8s(task, await kr8s.asyncio.api(kubeconfig=task.kubeconfig)).race()


asyncio.run(main())
