"""What is refused as a name here is what servers refuse, and nothing else."""

import pytest
from servers import open_server

from windlass.controller.names import lease_fault, manager_fault, namespace_fault
from windlass.informers import Api, Client, Cluster
from windlass.informers.builtins import ConfigMap, Lease, Namespace
from windlass.informers.errors import Invalid
from windlass.informers.requests import WriteOptions

MANAGERS = (
    *("a", "a" * 128, "a" * 129, "ä" * 64, "ä" * 65, "a b", "a/b:c", "é", "日本", "a\nb", "a\tb", "\x7f"),
    *("a\u200bb", "a\u00a0b", "\u2028", "\ue000"),
)
LEASES = (
    "a",
    "a-b",
    "a.b",
    "a" * 253,
    "a" * 254,
    "A",
    "a_b",
    "a..b",
    ".a",
    "-a",
    "a-",
    "a.-b",
    "a b",
    "a/b",
    "ä",
    "a\n",
)
NAMESPACES = ("a", "a-b", "0", "a" * 63, "a" * 64, "A", "a_b", "-a", "a-", "a.b", "ä", "a\n")


async def refused(api, kind, metadata, **options):
    body = {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": metadata}
    try:
        await api.create(kind, body, options=WriteOptions(dry_run=True, **options))
    except Invalid:
        return True
    return False


@pytest.mark.realtime(limit=120)
@pytest.mark.parametrize("kind", ["embedded", "kubernetes"])
async def test_servers_refuse_the_same_names(kind):
    async with open_server(kind) as server, Client(Cluster.from_dict(server.kubeconfig())) as client:
        api = Api(client)
        metadata = {"name": "names", "namespace": "default"}
        managers = {name: await refused(api, ConfigMap, metadata, field_manager=name) for name in MANAGERS}
        leases = {name: await refused(api, Lease, {"name": name, "namespace": "default"}) for name in LEASES}
        namespaces = {name: await refused(api, Namespace, {"name": name}) for name in NAMESPACES}

    assert managers == {name: manager_fault(name) is not None for name in MANAGERS}
    assert leases == {name: lease_fault(name) is not None for name in LEASES}
    assert namespaces == {name: namespace_fault(name) is not None for name in NAMESPACES}


def test_no_namespace_is_no_fault_and_no_manager_is_one():
    assert namespace_fault(None) is None
    assert namespace_fault("") == "namespace: expected at most 63 of a-z, 0-9 and '-' (DNS-1123), or None, found ''"
    assert manager_fault("") == "field_manager: expected 1 to 128 bytes of printable characters, found ''"


def test_a_long_name_is_not_repeated():
    assert manager_fault("a" * 500).endswith("found 500 characters")
