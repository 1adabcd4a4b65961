"""Whose a token is and what its owner may do, by servers that know."""

import contextlib
import uuid

import attrs
import msgspec
import pytest
from accounts import ROLES, token_of
from servers import open_server

from windlass.controller.reviews import AccessReviews, ReviewedUser
from windlass.informers import Api, Client, Cluster, Namespace, ServiceAccount
from windlass.informers.client import Response
from windlass.informers.errors import ConnectionFailed, Forbidden

pytestmark = pytest.mark.realtime
SERVERS = pytest.mark.parametrize("kind", ["embedded", "kubernetes"])

RBAC = "rbac.authorization.k8s.io"


@contextlib.asynccontextmanager
async def cluster(kind):
    """The server's configuration, a client, and a new namespace with the account `ann`."""
    async with open_server(kind) as server:
        config = server.kubeconfig()
        async with Client(Cluster.from_dict(config)) as client:
            api, namespace = Api(client), f"reviews-{uuid.uuid4().hex[:8]}"
            await api.create(Namespace, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
            metadata = {"name": "ann", "namespace": namespace}
            await api.create(ServiceAccount, {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata})
            yield config, api, namespace


@SERVERS
async def test_the_owner_of_a_token_is_told_and_an_invented_one_is_nobodys(kind):
    async with cluster(kind) as (_, api, namespace):
        reviews = AccessReviews(api.client)
        found = await reviews.caller(await token_of(api, namespace, "ann"))
        assert found.name == f"system:serviceaccount:{namespace}:ann"
        assert {"system:serviceaccounts", f"system:serviceaccounts:{namespace}", "system:authenticated"} <= set(
            found.groups
        )
        assert await reviews.caller("invented") is None


@SERVERS
async def test_a_token_for_somebody_else_is_nobodys(kind):
    async with cluster(kind) as (_, api, namespace):
        mine = AccessReviews(api.client, audiences=("models", "others"))
        assert await mine.caller(await token_of(api, namespace, "ann", audiences=("models",))) is not None
        assert await mine.caller(await token_of(api, namespace, "ann", audiences=("elsewhere",))) is None
        assert await mine.caller(await token_of(api, namespace, "ann")) is None
        assert await AccessReviews(api.client).caller(await token_of(api, namespace, "ann", audiences=("x",))) is None


@SERVERS
async def test_what_a_role_permits_is_permitted_and_nothing_beside_it(kind):
    async with cluster(kind) as (_, api, namespace):
        name = f"asks-{namespace}"
        rules = [{"nonResourceURLs": ["/v2/models/linear/*"], "verbs": ["post"]}]
        role = {"apiVersion": f"{RBAC}/v1", "kind": "ClusterRole", "metadata": {"name": name}, "rules": rules}
        subjects = [{"kind": "ServiceAccount", "name": "ann", "namespace": namespace}]
        binding = {
            "apiVersion": f"{RBAC}/v1", "kind": "ClusterRoleBinding", "metadata": {"name": name}, "subjects": subjects,
            "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": name},
        }  # fmt: skip
        await api.create(ROLES["ClusterRole"], role)
        await api.create(ROLES["ClusterRoleBinding"], binding)
        reviews = AccessReviews(api.client)
        ann = await reviews.caller(await token_of(api, namespace, "ann"))
        assert await reviews.permits(ann, verb="post", path="/v2/models/linear/infer")
        assert not await reviews.permits(ann, verb="get", path="/v2/models/linear/infer")
        assert not await reviews.permits(ann, verb="post", path="/v2/models/other/infer")
        assert not await reviews.permits(ReviewedUser("somebody"), verb="post", path="/v2/models/linear/infer")


@SERVERS
async def test_an_account_that_may_not_review_is_told_so(kind):
    async with cluster(kind) as (config, api, namespace):
        for user in config["users"]:
            user["user"] = {"token": await token_of(api, namespace, "ann")}
        async with Client(Cluster.from_dict(config)) as client:
            with pytest.raises(Forbidden, match="tokenreviews"):
                await AccessReviews(client).caller("any")


@SERVERS
async def test_a_server_that_is_away_is_an_error_and_never_an_answer(kind):
    async with open_server(kind) as server:
        config = server.kubeconfig()
        for one in config["clusters"]:
            one["cluster"]["server"] = "http://127.0.0.1:1"
        async with Client(Cluster.from_dict(config), retries=0) as client:
            with pytest.raises(ConnectionFailed):
                await AccessReviews(client).caller("any")


@attrs.frozen
class Unaware:
    """A client of an authenticator that knows nothing of audiences: it says so by naming none."""

    status: dict

    async def send(self, _):
        return Response(201, {}, msgspec.json.encode({"status": self.status}))


async def test_a_server_that_did_not_check_the_audience_is_not_believed():
    status = {"authenticated": True, "user": {"username": "ann"}}
    assert (await AccessReviews(Unaware(status)).caller("any")).name == "ann"
    assert await AccessReviews(Unaware(status), audiences=("models",)).caller("any") is None
    assert await AccessReviews(Unaware({**status, "authenticated": False})).caller("any") is None


async def test_what_is_denied_is_not_permitted_whatever_else_is_said():
    for status, permitted in (({"allowed": True}, True), ({"allowed": True, "denied": True}, False), ({}, False)):
        assert await AccessReviews(Unaware(status)).permits(ReviewedUser("ann"), verb="get", path="/") is permitted
