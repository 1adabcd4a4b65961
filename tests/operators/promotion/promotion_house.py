"""A server with a stand-in for KServe, and as many controllers of promotions after each other as a test needs."""

import asyncio
import contextlib
import copy
import json
import secrets

import attrs
from aiohttp import web
from servers import open_server

from windlass.controller import Manager, Settings
from windlass.envtest.workloads.kserve import InferenceService, KServe
from windlass.informers.api import Api
from windlass.informers.builtins import Event, Namespace
from windlass.informers.client import Client
from windlass.informers.cluster import Cluster
from windlass.informers.keys import Key
from windlass.informers.requests import WriteOptions, raw_get
from windlass.manifests.install import install
from windlass.operators.promotion import Promotion, PromotionSettings, setup
from windlass.statemachine.conditions import Conditions

__all__ = (
    "EVIDENCE",
    "FINAL",
    "MODEL",
    "House",
    "condition",
    "open_house",
    "promotion",
    "ready",
    "service",
    "serving",
    "split",
)

MODEL = "a" * 64
EVIDENCE = "e" * 64
FINAL = ("Succeeded", "RolledBack", "Interrupted", "Failed")
SETTINGS = PromotionSettings(look_seconds=0.05)


def service(*, mode="Knative", storage="s3://models/digits/1", **predictor):
    """An InferenceService of a digits model, as its owner would write it."""
    model = {"modelFormat": {"name": "onnx"}, "storageUri": storage, "runtimeVersion": "v1"}
    return {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {"name": "digits", "annotations": {"serving.kserve.io/deploymentMode": mode}},
        "spec": {"predictor": {"minReplicas": 1, "maxReplicas": 3, "model": model, **predictor}},
    }


def promotion(steps=((10, "0s"), (50, "0s")), *, storage="s3://models/digits/2", **spec):
    """A promotion of the model's second version, in steps that are not held for long."""
    made = {
        "target": {"inferenceService": {"name": "digits"}},
        "release": {"storageUri": storage, "modelSha256": MODEL},
        "steps": [{"weight": weight, "duration": duration} for weight, duration in steps],
        "gate": {"verdict": "Passed", "modelSha256": MODEL, "evidenceSha256": EVIDENCE},
        "guards": {"failureGrace": "0s"},
    }
    if "guards" in spec:
        spec["guards"] = {**made["guards"], **spec["guards"]}
    return {
        "apiVersion": "ai.windlass.dev/v1alpha1",
        "kind": "Promotion",
        "metadata": {"name": "digits-2"},
        "spec": made | spec,
    }


@attrs.define
class House:
    """A namespace, with KServe following what is in it."""

    server: object
    api: Api
    cluster: Cluster
    namespace: str
    kserve: KServe
    settings: PromotionSettings = SETTINGS
    dry_run: bool = False

    @property
    def service_key(self):
        return Key(self.namespace, "digits")

    @property
    def key(self):
        return Key(self.namespace, "digits-2")

    @contextlib.asynccontextmanager
    async def controller(self, *, name="windlass", **given):
        """An operator of that name, with other settings if they are given."""
        settings = Settings(dry_run=self.dry_run, field_manager=name)
        manager = Manager(kinds=[Promotion], cluster=self.cluster, namespace=self.namespace, settings=settings)
        setup(manager, attrs.evolve(self.settings, **given))
        async with manager:
            yield manager

    async def create(self, body):
        kind = Promotion if body["kind"] == "Promotion" else InferenceService
        owner = WriteOptions("owner")
        await self.api.create(kind, copy.deepcopy(body), namespace=self.namespace, options=owner)

    async def serving(self, body=None):
        """An InferenceService that serves everything from its first revision."""
        await self.create(service() if body is None else body)
        await self.service_until(ready)

    async def service(self):
        return (await self.api.get(InferenceService, self.service_key)).to_dict()

    async def managers(self):
        """Who owns which fields of the InferenceService's spec; ordinary reads leave that out."""
        request = raw_get(InferenceService.path(self.namespace, "digits"))
        fields = json.loads((await self.api.client.send(request)).body)["metadata"]["managedFields"]
        return {one["manager"]: one["fieldsV1"]["f:spec"] for one in fields if "f:spec" in one["fieldsV1"]}

    async def service_until(self, condition, *, seconds=30.0):
        async with asyncio.timeout(seconds):
            while not condition(found := await self.service()):  # noqa: ASYNC110  # the server is asked as a user would
                await asyncio.sleep(0.02)
        return found

    async def edit(self, patch):
        await self.api.patch(InferenceService, self.service_key, patch)

    async def steer(self, **spec):
        await self.api.patch(Promotion, self.key, {"spec": spec})

    async def status(self):
        return (await self.api.get(Promotion, self.key)).as_(Promotion).status

    async def until(self, condition, *, seconds=30.0):
        status = None
        try:
            async with asyncio.timeout(seconds):
                while not condition(status := await self.status()):  # noqa: ASYNC110  # likewise
                    await asyncio.sleep(0.02)
        except TimeoutError:
            raise AssertionError(f"not reached in {seconds} s: {status}") from None
        return status

    async def reach(self, *phases):
        return await self.until(lambda status: status.phase in phases or status.phase in FINAL)

    async def ended(self):
        return await self.until(lambda status: status.phase in FINAL)

    async def told(self):
        """The reasons of the Events about the promotion."""
        uid = (await self.api.get(Promotion, self.key)).uid
        events = [event.to_dict() for event in (await self.api.list(Event, namespace=self.namespace)).items]
        return [event["reason"] for event in events if event["involvedObject"].get("uid") == uid]


def ready(found):
    conditions = found.get("status", {}).get("conditions", [])
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)


def split(found):
    """The observed split in Knative mode."""
    shares = {}
    for one in found["status"]["components"]["predictor"]["traffic"]:
        shares[one["revisionName"]] = shares.get(one["revisionName"], 0) + one["percent"]
    return {revision: percent for revision, percent in shares.items() if percent}


def condition(status, kind):
    return Conditions.of(status.conditions).get(kind)


@contextlib.asynccontextmanager
async def open_house(kind="embedded", script=None, **options):
    """A house on a server of that kind, in a namespace of its own."""
    async with open_server(kind) as server:
        cluster = Cluster.from_dict(server.kubeconfig())
        async with Client(cluster) as client:
            api = Api(client)
            await install(api, [Promotion])
            namespace = f"promotion-{secrets.token_hex(4)}"
            await api.create(Namespace, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
            async with KServe(cluster, script, **{"namespace": namespace, **options}) as kserve:
                yield House(server, api, cluster, namespace, kserve)


@contextlib.asynccontextmanager
async def serving(**handlers):
    """An HTTP server with a handler a path; its URL."""
    application = web.Application()
    for path, handler in handlers.items():
        application.router.add_get(f"/{path}", handler)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()
