"""A server, an endpoint with a route that the first model serves, and the operators that move it to a job's model."""

import asyncio
import contextlib
import secrets

import attrs
from inline import NAME, Inline
from servers import open_server

from windlass.controller import ExecutorRegistry, Manager
from windlass.envtest.workloads.kserve import InferenceService
from windlass.informers.api import Api
from windlass.informers.builtins import Event, Namespace
from windlass.informers.client import Client
from windlass.informers.cluster import Cluster
from windlass.informers.keys import Key
from windlass.informers.requests import WriteOptions
from windlass.manifests.install import install
from windlass.operators import promotion, training
from windlass.operators.promotion import Promotion, PromotionSettings
from windlass.operators.training import TrainingJob, TrainingSettings
from windlass.operators.training.baseline import nearest_mean
from windlass.operators.training.dataversion import resolve
from windlass.operators.training.export import as_onnx
from windlass.operators.training.publish import Artefact, publish
from windlass.operators.training.table import read_rows
from windlass.serving import Endpoint, EndpointOptions, ModelRepository, RepositoryOptions
from windlass.serving.traffic import Arm, Route, Routes, TrafficOptions
from windlass.statemachine.conditions import Conditions

__all__ = ("FIRST", "House", "condition", "first_version", "job", "open_house", "open_route", "said")

FIRST = Route("blobs", (Arm("stable", "blobs", version="1", weight=100),))
ROBUST = {"name": "robust", "check": "fgsm", "parameters": {"epsilon": 0.01, "maxSuccessRate": 0.9, "minSamples": 10}}


def job(table, url, **spec):
    """A job of a few epochs whose model is promoted in two steps that are not held."""
    made = {
        "data": {"uri": table.as_uri()},
        "executor": NAME,
        "hyperparameters": {"epochs": 2},
        "output": {"model": "blobs"},
        "gate": {"checks": [ROBUST]},
        "promotion": {
            "target": {"endpoint": {"url": url, "route": "blobs"}},
            "steps": [{"weight": 10, "duration": "0s"}, {"weight": 50, "duration": "0s"}],
        },
    }
    head = {"apiVersion": "ai.windlass.dev/v1alpha1", "kind": "TrainingJob", "metadata": {"name": "blobs"}}
    return {**head, "spec": {**made, **spec}}


def first_version(models, table):
    """What serves before any job has published."""
    rows = read_rows(resolve(table.as_uri(), "latest"))
    model = nearest_mean(rows.features, rows.labels)
    labels = tuple(str(label) for label in model.classes)
    publish(models, "blobs", Artefact("first", as_onnx(model), labels=labels))


@attrs.define
class House:
    """A namespace of a server, and an endpoint."""

    api: Api
    cluster: Cluster
    namespace: str
    table: object
    endpoint: Endpoint
    settings: TrainingSettings
    promoting: PromotionSettings

    @property
    def key(self):
        return Key(self.namespace, "blobs")

    @contextlib.asynccontextmanager
    async def controller(self):
        manager = Manager(kinds=[TrainingJob], cluster=self.cluster, namespace=self.namespace)
        training.setup(manager, self.settings)
        promotion.setup(manager, self.promoting)
        async with manager:
            yield manager

    async def apply(self, **spec):
        made = job(self.table, self.endpoint.url, **spec)
        await self.api.create(TrainingJob, made, namespace=self.namespace, options=WriteOptions("owner"))

    async def job(self):
        return (await self.api.get(TrainingJob, self.key)).as_(TrainingJob)

    async def until(self, holds, *, seconds=50.0):
        """The job, once that holds of it."""
        found = None
        try:
            async with asyncio.timeout(seconds):
                while not holds(found := await self.job()):  # noqa: ASYNC110  # the server is asked as a user would
                    await asyncio.sleep(0.02)
        except TimeoutError:
            raise AssertionError(f"not reached in {seconds} s: {found and found.status}") from None
        return found

    async def ended(self):
        return await self.until(lambda found: found.status.phase in ("Succeeded", "Failed"))

    async def promotions(self):
        return [one.as_(Promotion) for one in (await self.api.list(Promotion, namespace=self.namespace)).items]

    async def steer(self, found, **spec):
        await self.api.patch(Promotion, Key(self.namespace, found.status.promotion.name), {"spec": spec})

    async def service(self, body):
        await self.api.create(InferenceService, body, namespace=self.namespace, options=WriteOptions("owner"))

    async def told(self, uid):
        events = [event.to_dict() for event in (await self.api.list(Event, namespace=self.namespace)).items]
        return [event["reason"] for event in events if event["involvedObject"].get("uid") == uid]


def condition(found, kind):
    return Conditions.of(found.status.conditions).get(kind)


def said(kind, reason):
    """Whether a condition of the job has this reason."""
    return lambda found: (one := condition(found, kind)) is not None and one.reason == reason


@contextlib.asynccontextmanager
async def open_route(models, *, poll_seconds=0.05):
    """An endpoint that serves every version of the models, with the route to the first."""
    repository = ModelRepository(models, poll_seconds=poll_seconds, options=RepositoryOptions(versions="all"))
    options = EndpointOptions(traffic=TrafficOptions(Routes.of(FIRST), api=True))
    async with Endpoint(repository, port=0, options=options) as endpoint:
        yield endpoint
    repository.close()


@contextlib.asynccontextmanager
async def open_house(lab, kind="embedded"):
    """A house on a server of that kind, in a namespace of its own."""
    table, models = lab.blobs(), lab.path / "models"
    first_version(models, table)
    registry = ExecutorRegistry(discover=lambda: ())
    registry.register(NAME, Inline())
    async with open_server(kind) as server, open_route(models) as endpoint:
        cluster = Cluster.from_dict(server.kubeconfig())
        async with Client(cluster) as client:
            api = Api(client)
            await install(api, [TrainingJob, Promotion])
            namespace = f"promoted-{secrets.token_hex(4)}"
            await api.create(Namespace, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
            settings = TrainingSettings(lab.path / "state", models, executors=registry, promotions=True)
            promoting = PromotionSettings(look_seconds=0.05, urls=(endpoint.url,))
            yield House(api, cluster, namespace, table, endpoint, settings, promoting)
