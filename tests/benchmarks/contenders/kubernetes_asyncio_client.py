"""kubernetes_asyncio as its documentation says: CustomObjectsApi, and its Watch."""

import asyncio

from kubernetes_asyncio import client, config, watch
from plain import Operator
from task import read_task

WIDGETS = ("bench.windlass.dev", "v1", "widgets")


def trimmed(item):
    item["metadata"].pop("managedFields", None)
    return (item["metadata"]["namespace"], item["metadata"]["name"]), item


class KubernetesAsyncio(Operator):
    def __init__(self, task, api):
        super().__init__(task)
        self.api = api

    async def list(self):
        found = await self.api.list_cluster_custom_object(*WIDGETS)
        self.store.update(map(trimmed, found["items"]))
        return found["metadata"]["resourceVersion"]

    async def watch(self, version):
        async with watch.Watch() as stream:
            listing = self.api.list_cluster_custom_object
            async for event in stream.stream(listing, *WIDGETS, resource_version=version):
                self.changed(*trimmed(event["object"]))

    def phase(self, item):
        return item.get("status", {}).get("phase")

    def stamp(self, item):
        return item["spec"].get("stamp")

    async def patch(self, key, body):
        group, version, plural = WIDGETS
        await self.api.patch_namespaced_custom_object_status(
            group, version, key[0], plural, key[1], body, _content_type="application/merge-patch+json"
        )


async def main():
    task = read_task()
    await config.load_kube_config(task.kubeconfig)
    async with client.ApiClient() as connection:
        await KubernetesAsyncio(task, client.CustomObjectsApi(connection)).race()


asyncio.run(main())
