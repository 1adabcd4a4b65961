"""What a type checker must understand of the public interface. Never executed; `make check` runs mypy over it."""

from pathlib import Path
from typing import Annotated, Literal, assert_type

import attrs
import numpy as np

from windlass.controller import Channel, Context, Manager, Request, Result, Settings, WorkQueue
from windlass.envtest.apiserver import ApiServer
from windlass.informers import (
    Added,
    Api,
    Change,
    Client,
    Cluster,
    CustomResource,
    Deleted,
    Key,
    Object,
    ObjectMeta,
    Updated,
)
from windlass.informers.builtins import ConfigMap, Pod
from windlass.manifests import Column, CRDBuilder, Maximum, Minimum, Versions, crd, kind, needs, read
from windlass.serving import Endpoint, LinearModel, ModelRepository
from windlass.statemachine import Condition, Conditions, Machine, Transition


@attrs.frozen
class DatabaseSpec:
    version: Literal["14", "15", "16"]
    replicas: Annotated[int, Minimum(1), Maximum(10)] = 1


@attrs.frozen
class DatabaseStatus:
    phase: str = "Pending"


@kind("example.com/v1", short_names=("db",), columns=(Column("Phase", ".status.phase"),))
@attrs.frozen
class Database(CustomResource):
    spec: DatabaseSpec
    status: DatabaseStatus = DatabaseStatus()


@attrs.frozen
class OldSpec:
    version: str


@kind("example.com/v1alpha1", name="Database", short_names=("db",))
@attrs.frozen
class OldDatabase(CustomResource):
    spec: OldSpec


def up(old: OldDatabase) -> Database:
    return Database(spec=DatabaseSpec("16"))


def down(new: Database) -> OldDatabase:
    return OldDatabase(spec=OldSpec(new.spec.version))


def kinds() -> None:
    versions = Versions(Database).also(OldDatabase, up=up, down=down)
    assert_type(versions, Versions[Database])
    assert_type(versions.convert(Database(spec=DatabaseSpec("16")), OldDatabase), OldDatabase)
    Versions(Database).also(OldDatabase, up=down, down=up)  # type: ignore[arg-type]  # the other way round
    builder = CRDBuilder(Database).column("Replicas", lambda database: database.spec.replicas).short_name("dbs")
    assert_type(builder, CRDBuilder[Database])
    builder.column("Colour", lambda database: database.spec.colour)  # type: ignore[attr-defined]  # there is none
    builder.version(OldDatabase, up=down, down=up)  # type: ignore[arg-type]  # the other way round
    assert_type(read(b"{}", Database), Database)


@needs(ConfigMap, "create")
async def reconcile(ctx: Context, request: Request) -> Result:
    assert_type(request.key, Key)
    database = await ctx.get(Database, request.key)
    assert_type(database, Database | None)
    if database is None:
        return Result.done()
    assert_type(database.metadata, ObjectMeta)
    assert_type(database.spec.replicas, int)
    pod = await ctx.get(Pod, request.key)
    assert_type(pod, Object | None)
    await ctx.status(database, phase="Ready")
    return Result.after(30)


async def quiet(ctx: Context, request: Request) -> None:
    """A reconciler may return nothing."""


def build() -> Manager:
    manager = Manager(kinds=[Database], settings=Settings(probe_port=0))
    manager.controller(reconcile, for_=Database, owns=[Pod], sources=[Channel("bell")], workers=8)
    manager.controller(quiet, for_=ConfigMap)
    return manager


async def embed(kubeconfig: Path) -> None:
    async with build() as manager, Client(await Cluster.load(kubeconfig)) as client:
        found = await Api(client).get(Database, Key("default", "one"))
        assert_type(found, Object)
        assert_type(found.as_(Database), Database)
        assert_type(manager.cache.get(Database, found.key), Object | None)


def describe(change: Change) -> str:
    match change:
        case Added(added):
            assert_type(added, Object)
            return added.name
        case Updated(old, new):
            return f"{old.resource_version} {new.resource_version}"
        case Deleted(gone):
            return gone.uid


async def rest() -> None:
    queue: WorkQueue[Key] = WorkQueue("databases")
    queue.add(Key("default", "one"))
    machine = Machine(
        "Lamp", initial="Off", transitions=[Transition("Off", "press", "On"), Transition("On", "press", "Off")]
    )
    assert_type(machine.next("Off", "press"), str)
    assert_type(Conditions.of([Condition("Ready", "True", "Up")]).is_true("Ready"), bool)
    crd(Database)["spec"]["names"]["plural"]
    async with ApiServer() as server, Endpoint(ModelRepository(None), port=0) as endpoint:
        assert_type(server.url, str)
        assert_type(endpoint.url, str)
    model = LinearModel()
    answer = model.predict({"x": np.array([2.5])})
    answer["prediction"].tolist()
