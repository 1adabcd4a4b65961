"""A real service account: its permission is missing at first, its token expires, and the server itself refuses it."""

import base64
import json
import random
import subprocess
import time
import uuid

import attrs
import pytest
from fault_proxy import FaultProxy
from journal import Journal
from scripted_cluster import running, until
from servers import at_another_address, open_server, signing_key

from windlass.informers import requests
from windlass.informers.api import Api
from windlass.informers.backoff import Backoff
from windlass.informers.builtins import ConfigMap, Namespace, ServiceAccount
from windlass.informers.client import Client
from windlass.informers.cluster import Cluster
from windlass.informers.credentials import StaticHeader, TokenFile
from windlass.informers.errors import NotSynced, Unauthorized
from windlass.informers.feed import FeedOptions
from windlass.informers.informer import Informer
from windlass.informers.phases import Policy
from windlass.informers.requests import ListOptions
from windlass.informers.resources import Resource

ROLE_BINDING = Resource("rbac.authorization.k8s.io", "v1", "RoleBinding", "rolebindings")
OURS = "metadata.name!=kube-root-ca.crt"
LEEWAY_SECONDS = 60.0  # what the server adds to the end of every token, for clocks that disagree
LIFE_SECONDS = 9.0


async def account(api, namespace):
    """The key of a new service account in a new namespace; it may do nothing."""
    await api.create(Namespace, {"metadata": {"name": namespace}})
    return (await api.create(ServiceAccount, {"metadata": {"name": "reader"}}, namespace=namespace)).key


async def permit(api, key):
    """Let the account read everything in its namespace."""
    binding = {
        "metadata": {"name": key.name},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"},
        "subjects": [{"kind": "ServiceAccount", "name": key.name, "namespace": key.namespace}],
    }
    await api.create(ROLE_BINDING, binding, namespace=key.namespace)


async def issued(api, key):
    """A token as the server issues them; ten minutes is the shortest that it grants."""
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 600}}
    answer = await api.create(ServiceAccount, body, namespace=key.namespace, name=key.name, subresource="token")
    return json.loads(answer.status)["token"]


def shortened(token, ends_at, signing_key):
    """The same token, but it ends at that time; signed as the server signs."""
    head, claims, _ = token.split(".")
    claims = {**json.loads(base64.urlsafe_b64decode(claims + "==")), "exp": int(ends_at)}
    signed = f"{head}.{_encoded(json.dumps(claims).encode())}"
    command = ["openssl", "dgst", "-sha256", "-sign", str(signing_key)]
    signature = subprocess.run(command, input=signed.encode(), check=True, capture_output=True).stdout
    return f"{signed}.{_encoded(signature)}"


def _encoded(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def informer_of(client, namespace):
    options = FeedOptions(Policy(streaming=False), Backoff(base_seconds=0.02, cap_seconds=0.2), random.Random(1))
    return Informer(client, ConfigMap, namespace=namespace, fields=OURS, options=options)


class Codes:
    """The status codes of a client's exchanges."""

    def __init__(self):
        self.seen = []

    def called(self, request, code, seconds):
        self.seen.append((request.verb, code))

    def retried(self, request, code):
        pass


async def refuses(client, namespace):
    try:
        await client.send(requests.list_page(ConfigMap, ListOptions(namespace), limit=1))
    except Unauthorized:
        return True
    return False


@pytest.mark.realtime
async def test_permission_that_is_missing_is_the_reason_for_not_being_synced_until_it_is_given():
    """I16."""
    async with open_server("kubernetes") as server:
        direct = Cluster.from_dict(server.kubeconfig())
        async with Client(direct) as admin:
            api = Api(admin)
            key = await account(api, f"tokens-{uuid.uuid4().hex[:10]}")
            await api.create(ConfigMap, {"metadata": {"name": "a"}}, namespace=key.namespace)
            ours = attrs.evolve(direct, credentials=StaticHeader(f"Bearer {await issued(api, key)}"))
            codes = Codes()
            async with Client(ours, observer=codes) as client:
                informer = informer_of(client, key.namespace)
                async with running(informer):
                    await until(lambda: informer.statistics().relists.get("denied"))
                    with pytest.raises(
                        NotSynced, match=r"no complete copy of configmaps\.v1 .*403 Forbidden.*cannot list"
                    ):
                        await informer.ready(0.1)
                    await permit(api, key)
                    await informer.ready(20)
                    await until(lambda: [one.name for one in informer.store] == ["a"])
                    # asyncio loses a connection that is cancelled in the turn of the loop before TLS begins.
                    await until(lambda: ("watch", "200") in codes.seen)


@pytest.mark.realtime
async def test_a_real_token_expires_under_a_watch(tmp_path):
    async with open_server("kubernetes") as server, FaultProxy(server.url) as wire:
        direct = Cluster.from_dict(server.kubeconfig())
        async with Client(direct) as admin:
            api = Api(admin)
            key = await account(api, f"tokens-{uuid.uuid4().hex[:10]}")
            await permit(api, key)
            first, second = await issued(api, key), await issued(api, key)
            ends_at = time.time() + LIFE_SECONDS - LEEWAY_SECONDS
            signed_by = tmp_path / "key"
            signed_by.write_bytes(await signing_key(server))
            first = shortened(first, ends_at, signed_by)
            file = tmp_path / "token"
            file.write_text(first)
            codes = Codes()
            ours = attrs.evolve(at_another_address(direct, wire.url), credentials=TokenFile(file))
            theirs = attrs.evolve(direct, credentials=StaticHeader(f"Bearer {first}"))
            async with Client(ours, observer=codes) as client, Client(theirs) as expiring:
                informer = informer_of(client, key.namespace)
                journal = Journal(informer)
                async with running(informer):
                    await informer.ready(10)
                    await until(lambda: ("watch", "200") in codes.seen)
                    # The server remembers for ten seconds whom it has let in.
                    await until(lambda: refuses(expiring, key.namespace), 40.0, turn=0.2)
                    await api.create(ConfigMap, {"metadata": {"name": "a"}}, namespace=key.namespace)
                    await until(lambda: journal.told == ["+a"])  # a watch that is open outlives its token

                    file.write_text(second)
                    del codes.seen[:]
                    wire.cut_all()
                    await api.create(ConfigMap, {"metadata": {"name": "b"}}, namespace=key.namespace)
                    await until(lambda: journal.told == ["+a", "+b"])
                journal.check()
                assert codes.seen == [("watch", "401"), ("watch", "200")]
                assert informer.statistics().relists == {}
