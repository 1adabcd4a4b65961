import uuid
from contextlib import asynccontextmanager

import pytest
from servers import EVERY_SERVER, open_server

from windlass.envtest.controlplane.definitions import install_definitions
from windlass.envtest.errors import DefinitionError, EnvtestError
from windlass.informers import Api, Client, Cluster, Resource
from windlass.informers.builtins import CustomResourceDefinition
from windlass.informers.errors import Invalid

SERVERS = pytest.mark.parametrize("kind", EVERY_SERVER)
FREE = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}


def definition(*, singular="", versions=("v1",), group=None):
    group = group or f"g{uuid.uuid4().hex[:8]}.windlass.test"
    listed = [{"name": one, "served": True, "storage": one == versions[0], "schema": FREE} for one in versions]
    names = {"plural": "probes", "kind": "Probe"} | ({"singular": singular} if singular else {})
    spec = {"group": group, "scope": "Namespaced", "names": names, "versions": listed}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"probes.{group}"},
        "spec": spec,
    }


@asynccontextmanager
async def api(kind):
    async with open_server(kind) as server, Client(Cluster.from_dict(server.kubeconfig())) as client:
        yield Api(client)


@pytest.mark.realtime(limit=180)
@SERVERS
async def test_every_served_version_of_every_kind_can_be_used_at_once_afterwards(kind):
    first, second = definition(versions=("v1", "v2")), definition()
    async with api(kind) as server:
        await install_definitions(server, first, second)
        for one in (first, second):
            group = one["spec"]["group"]
            for version in one["spec"]["versions"]:
                probe = Resource(group, version["name"], "Probe", "probes")
                metadata = {"name": version["name"], "namespace": "default"}
                await server.create(probe, {"apiVersion": probe.api_version, "kind": "Probe", "metadata": metadata})
            await server.delete(CustomResourceDefinition, (await _found(server, one)).key)


@pytest.mark.realtime(limit=180)
@SERVERS
async def test_a_definition_that_is_there_is_brought_up_to_date(kind):
    older = definition()
    newer = definition(versions=("v2", "v1"), group=older["spec"]["group"])
    newer["spec"]["versions"][0]["storage"], newer["spec"]["versions"][1]["storage"] = False, True
    async with api(kind) as server:
        await install_definitions(server, older)
        await install_definitions(server, newer)
        probe = Resource(older["spec"]["group"], "v2", "Probe", "probes")
        assert (await server.list(probe)).items == []
        await server.delete(CustomResourceDefinition, (await _found(server, older)).key)


@pytest.mark.realtime(limit=180)
@SERVERS
async def test_names_that_another_has_are_an_error_with_the_servers_reason(kind):
    first = definition()
    group = first["spec"]["group"]
    second = definition(singular="probe", group=group)
    second["metadata"]["name"] = f"others.{group}"
    second["spec"]["names"] |= {"plural": "others"}
    async with api(kind) as server:
        await install_definitions(server, first)
        with pytest.raises(DefinitionError, match=r"others\.\S+ was not served within 1 s: .*NamesAccepted=False"):
            await install_definitions(server, second, timeout_seconds=1)
        for one in (first, second):
            await server.delete(CustomResourceDefinition, (await _found(server, one)).key)


@pytest.mark.realtime(limit=180)
@SERVERS
async def test_a_definition_that_the_server_refuses_is_its_own_error(kind):
    broken = definition()
    broken["spec"]["versions"][0]["storage"] = False
    async with api(kind) as server:
        with pytest.raises(Invalid, match="storage"):
            await install_definitions(server, broken)


def test_definition_errors_are_errors_of_the_surroundings():
    assert issubclass(DefinitionError, EnvtestError)


async def _found(server, one):
    (found,) = (
        item for item in (await server.list(CustomResourceDefinition)).items if item.name == one["metadata"]["name"]
    )
    return found
