"""The programs beside the how-to pages, run as their readers would run them, by those who use their kinds."""

import asyncio
import importlib.util
import sys
import uuid
from contextlib import asynccontextmanager
from pathlib import Path

import attrs
import pytest
import yaml
from accounts import restricted
from certificates import Authority
from programs import run, running
from servers import open_server

from windlass.controller import Manager
from windlass.informers import Api, Client, Cluster, ConfigMap, Key, Namespace, ObjectMeta
from windlass.informers.errors import Invalid, NotFound, StructureError
from windlass.manifests import crd, read
from windlass.manifests.install import install

pytestmark = pytest.mark.realtime(limit=150)

HOW_TO = Path(__file__).resolve().parents[2] / "docs" / "how-to"
SERVERS = pytest.mark.parametrize("kind", ["embedded", "kubernetes"])


def load(name):
    """The program's module, for its kinds."""
    spec = importlib.util.spec_from_file_location(f"howto_{name}", HOW_TO / f"{name}.py")
    module = sys.modules.setdefault(spec.name, importlib.util.module_from_spec(spec))
    spec.loader.exec_module(module)
    return module


@attrs.frozen
class Place:
    api: Api
    namespace: str
    program: object

    def key(self, name):
        return Key(self.namespace, name)

    async def create(self, cls, name, **body):
        resource = cls.__windlass_resource__
        identity = {"apiVersion": resource.api_version, "kind": resource.kind}
        return await self.api.create(
            resource, {**identity, "metadata": {"name": name, "namespace": self.namespace}, **body}
        )


@asynccontextmanager
async def program(name, server_kind, folder, *arguments, kinds=(), **environment):
    """The program runs against the server, which has the kinds; it has stopped in order at the end.

    A real server lets it do what the role permits that follows from its controllers, and nothing else.
    """
    async with open_server(server_kind) as server:
        environment["KUBECONFIG"] = str(folder / "kubeconfig")
        async with Client(Cluster.from_dict(server.kubeconfig())) as client:
            api = Api(client)
            await install(api, list(kinds))
            namespace = f"howto-{uuid.uuid4().hex[:8]}"
            await api.create(Namespace, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
            server.write_kubeconfig(folder / "kubeconfig")
            if server_kind == "kubernetes":
                manager = Manager()
                load(name).setup(manager)
                config = await restricted(api, server.kubeconfig(), manager, namespace)
                (folder / "kubeconfig").write_text(yaml.safe_dump(config))
            async with running(str(HOW_TO / f"{name}.py"), *arguments, cwd=folder, environment=environment) as started:
                yield Place(api, namespace, started)
                started.interrupt()
                ended = await started.end(seconds=20)
            assert (ended.code, ended.err) == (0, "")


async def becomes(question, wanted, *, seconds=20):
    """Ask until the answer is `wanted`."""
    found = None
    try:
        async with asyncio.timeout(seconds):
            while (found := await question()) != wanted:  # noqa: ASYNC110  # another process's answer
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise AssertionError(f"expected {wanted!r} within {seconds} s, found {found!r}") from None


@SERVERS
async def test_predicates_wake_for_spec_status_and_labels_and_for_nothing_else(kind, tmp_path):
    lamp = load("predicates").Lamp
    async with program("predicates", kind, tmp_path, kinds=[lamp]) as place:
        await place.create(lamp, "a", spec={"watts": 5})
        said = f"{place.namespace}/a: "
        await place.program.line(": 5 W, lit=False, of nobody")  # added, or initial
        await place.api.patch(lamp, place.key("a"), {"metadata": {"annotations": {"note": "not looked at"}}})
        await place.api.patch(lamp, place.key("a"), {"spec": {"watts": 7}})
        await place.program.line(f"{said}updated: 7 W, lit=False, of nobody")
        await place.api.patch(lamp, place.key("a"), {"status": {"lit": True}}, subresource="status")
        await place.program.line(f"{said}updated: 7 W, lit=True, of nobody")
        await place.api.patch(lamp, place.key("a"), {"metadata": {"labels": {"team": "blue"}}})
        await place.program.line(f"{said}updated: 7 W, lit=True, of blue")
        await place.api.delete(lamp, place.key("a"))
        await place.program.line(f"{said}gone")
        lines = [line for line in place.program.out if line.startswith(said)]
    assert len(lines) == 5


@SERVERS
async def test_a_finalizer_holds_the_object_until_its_folder_is_gone(kind, tmp_path):
    bucket = load("finalizers").Bucket
    async with program("finalizers", kind, tmp_path, kinds=[bucket], BUCKETS=str(tmp_path / "buckets")) as place:
        created = await place.create(bucket, "a", spec={"readme": "mine"})
        folder = tmp_path / "buckets" / created.uid

        async def path():
            return (await place.api.get(bucket, place.key("a"))).as_(bucket).status.path

        await becomes(path, str(folder))
        assert (folder / "README").read_text() == "mine"
        assert (await place.api.get(bucket, place.key("a"))).finalizers == ("howto.windlass.dev/folder",)
        await place.api.delete(bucket, place.key("a"))

        async def gone():
            try:
                await place.api.get(bucket, place.key("a"))
            except NotFound:
                return not folder.exists()
            return False

        await becomes(gone, True)


@SERVERS
async def test_what_is_owned_follows_its_owner(kind, tmp_path):
    site = load("owners").Site
    async with program("owners", kind, tmp_path, kinds=[site]) as place:

        async def pages():
            listed = await place.api.list(ConfigMap, namespace=place.namespace)
            return {one.name: one.to_dict()["data"]["title"] for one in listed.items if one.name.startswith("s-")}

        await place.create(site, "s", spec={"pages": ["home", "about"]})
        await becomes(pages, {"s-home": "home", "s-about": "about"})
        await place.api.delete(ConfigMap, place.key("s-home"))
        await becomes(pages, {"s-home": "home", "s-about": "about"})
        await place.api.patch(ConfigMap, place.key("s-home"), {"data": {"title": "defaced"}})
        await becomes(pages, {"s-home": "home", "s-about": "about"})
        await place.api.patch(site, place.key("s"), {"spec": {"pages": ["about", "news"]}})
        await becomes(pages, {"s-about": "about", "s-news": "news"})
        await place.api.delete(site, place.key("s"))
        # A real garbage collector looks for new kinds every thirty seconds.
        await becomes(pages, {}, seconds=60)


@SERVERS
async def test_a_reconciler_off_the_loop_writes_what_it_computed(kind, tmp_path):
    async with program("offload", kind, tmp_path) as place:

        async def digest():
            return (await place.api.get(ConfigMap, place.key("a"))).annotations.get("howto.windlass.dev/digest")

        body = {"apiVersion": "v1", "kind": "ConfigMap", "data": {"text": "hello"}}
        metadata = {"name": "a", "namespace": place.namespace, "labels": {"digest": "yes"}}
        await place.api.create(ConfigMap, {**body, "metadata": metadata})

        async def is_digested():
            return bool(await digest())

        await becomes(is_digested, True)
        first = await digest()
        await place.api.patch(ConfigMap, place.key("a"), {"data": {"text": "goodbye"}})

        async def is_another():
            return await digest() != first

        await becomes(is_another, True)


def test_every_program_is_shown_in_a_page():
    shown = "".join(page.read_text() for page in HOW_TO.glob("*.md"))
    assert [path.name for path in HOW_TO.glob("*.py") if f"<!-- {path.name} -->" not in shown] == []


async def test_a_job_runs_on_a_control_plane_for_tests(tmp_path):
    ended = await run(str(HOW_TO / "control_plane.py"), "embedded", cwd=tmp_path)
    assert (ended.code, ended.out, ended.err) == (0, "2 Complete\n", "")


@SERVERS
async def test_a_shelf_is_judged_by_the_server_and_by_us_and_built(kind, tmp_path):
    module = load("shelves")
    authority = Authority(tmp_path)
    certificate, key = authority.issue("/CN=webhook", names="IP:127.0.0.1")
    arguments = (str(certificate), str(key), "0")
    async with program("shelves", kind, tmp_path, *arguments, kinds=[module.Shelf]) as place:
        await place.create(module.Shelf, "hall", spec={"place": {"wall": "north"}, "replicas": 2, "wood": "old"})
        await place.program.line(f"{place.namespace}/hall: oak, 60 cm")

        async def built():
            return (await place.api.get(module.Shelf, place.key("hall"))).as_(module.Shelf).status.built

        await becomes(built, 2)
        hall = (await place.api.get(module.Shelf, place.key("hall"))).as_(module.Shelf)
        assert hall.spec.notes == {"wood": "old"}
        bad = {"place": {}, "height": 900}
        with pytest.raises(Invalid, match=r"spec\.height"):
            await place.create(module.Shelf, "bad", spec=bad)
        body = {"apiVersion": "howto.windlass.dev/v2", "kind": "Shelf", "spec": bad}
        with pytest.raises(StructureError, match=r"exactly one of wall, floor, found none; .*from 1 to 300, found 900"):
            read(body, module.Shelf)


def test_the_shelves_of_both_versions_are_one_definition():
    module = load("shelves")
    old = module.OldShelf(spec=module.OldShelfSpec("north", 24), metadata=ObjectMeta(name="a"))

    assert [one["name"] for one in crd(module.SHELVES)["spec"]["versions"]] == ["v1", "v2"]
    assert module.SHELVES.convert(module.SHELVES.convert(old, module.Shelf), module.OldShelf) == old


@pytest.mark.parametrize("name", ["data_pipeline", "leader", "shards", "shelves"])
async def test_a_program_that_wants_arguments_says_which(name, tmp_path):
    ended = await run(str(HOW_TO / f"{name}.py"), cwd=tmp_path)

    assert (ended.code, ended.err.startswith(f"usage: python {name}.py ")) == (1, True), ended.err
