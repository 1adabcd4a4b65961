import asyncio
import datetime as dt
import random

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from windlass.envtest.apiserver import ApiServer, ServerError, Settings, User
from windlass.envtest.apiserver.access.accounts import Accounts
from windlass.envtest.apiserver.access.tokens import read_token, signed_token
from windlass.envtest.apiserver.store.storage import Key, Store

RBAC = "/apis/rbac.authorization.k8s.io/v1"
CONFIG_MAPS = "/api/v1/namespaces/default/configmaps"


class Clock:
    def __init__(self):
        self.now = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)

    def __call__(self):
        return self.now


async def asked(server, path, token="", method="GET", body=None):
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    async with aiohttp.request(method, server.url + path, headers=headers, json=body) as response:
        return response.status, await response.json()


async def granted(server, *subjects):
    rules = [{"verbs": ["get"], "apiGroups": [""], "resources": ["configmaps"]}]
    reference = {"kind": "ClusterRole", "name": "reader"}
    for path, body in (
        (f"{RBAC}/clusterroles", {"metadata": {"name": "reader"}, "rules": rules}),
        (
            f"{RBAC}/clusterrolebindings",
            {"metadata": {"name": "readers"}, "roleRef": reference, "subjects": list(subjects)},
        ),
    ):
        status, answer = await asked(server, path, server.token, "POST", body)
        assert status == 201, answer


@pytest.mark.realtime
async def test_users_are_known_by_their_tokens_and_may_what_roles_allow():
    users = {"of-ann": User.authenticated("ann", ("crew",))}
    async with ApiServer(settings=Settings(users=users)) as server:
        bob = server.add_user("bob", ["crew"])
        carl = server.add_user("carl")
        for token in ("of-ann", bob, carl):
            assert (await asked(server, f"{CONFIG_MAPS}/a", token))[0] == 403
        await granted(server, {"kind": "Group", "name": "crew"})
        assert [(await asked(server, f"{CONFIG_MAPS}/a", one))[0] for one in ("of-ann", bob, carl)] == [404, 404, 403]
        assert server.kubeconfig(token=bob)["users"][0]["user"] == {"token": bob}


@pytest.mark.parametrize("name", ["", "system:admin"])
def test_no_user_is_called_like_the_servers_own(name):
    with pytest.raises(ServerError, match="needs a name that does not begin with 'system:'"):
        ApiServer().add_user(name)


@pytest.mark.realtime
@pytest.mark.parametrize(
    ("without_token", "codes"),
    [("administrator", (200, 200, 200)), ("anonymous", (200, 403, 403)), ("refused", (401, 401, 401))],
)
async def test_the_settings_say_who_comes_without_a_token(without_token, codes):
    async with ApiServer(settings=Settings(without_token=without_token)) as server:
        found = [(await asked(server, path))[0] for path in ("/version", "/api", CONFIG_MAPS)]
        assert tuple(found) == codes


def test_another_word_for_who_comes_without_a_token_is_refused():
    with pytest.raises(ValueError, match="without_token"):
        Settings(without_token="nobody")


@pytest.mark.realtime
async def test_authorization_can_be_switched_off():
    async with ApiServer(settings=Settings(authorization=False)) as server:
        assert (await asked(server, CONFIG_MAPS, server.add_user("bob")))[0] == 200
        assert (await asked(server, CONFIG_MAPS, "made-up"))[0] == 401


@pytest.mark.realtime
async def test_a_token_is_good_until_its_time_is_over():
    clock = Clock()
    async with ApiServer(settings=Settings(clock=clock)) as server:
        await granted(server, {"kind": "ServiceAccount", "name": "bot", "namespace": "default"})
        accounts = "/api/v1/namespaces/default/serviceaccounts"
        await asked(server, accounts, server.token, "POST", {"metadata": {"name": "bot"}})
        _, answer = await asked(
            server, f"{accounts}/bot/token", server.token, "POST", {"spec": {"expirationSeconds": 600}}
        )
        token = answer["status"]["token"]
        assert answer["status"]["expirationTimestamp"] == "2026-01-01T00:10:00Z"
        assert (await asked(server, f"{CONFIG_MAPS}/a", token))[0] == 404
        clock.now += dt.timedelta(seconds=600)
        assert (await asked(server, f"{CONFIG_MAPS}/a", token))[0] == 401


def accounts_of(store, key=b"key"):
    return Accounts(store, key, lambda: dt.datetime(2026, 1, 1, tzinfo=dt.UTC))


def store_with_account(uid):
    store = Store()
    body = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "bot", "namespace": "n", "uid": uid}}
    store.put(Key("serviceaccounts", "n", "bot"), body)
    return store


def test_an_account_that_is_made_anew_is_another():
    token = accounts_of(store_with_account("1")).request("n", "bot", {})["status"]["token"]
    assert accounts_of(store_with_account("1")).owner(token) is not None
    assert accounts_of(store_with_account("2")).owner(token) is None


def test_a_token_of_another_server_is_not_good():
    token = accounts_of(store_with_account("1"), b"other").request("n", "bot", {})["status"]["token"]
    assert accounts_of(store_with_account("1")).owner(token) is None


@given(st.dictionaries(st.text(max_size=5), st.integers()), st.binary(min_size=1), st.data())
def test_a_token_that_is_changed_says_nothing(claims, key, data):
    token = signed_token(claims, key)
    assert read_token(token, key) == claims
    place = data.draw(st.integers(0, len(token) - 1))
    letter = data.draw(st.sampled_from("abcdefgh.-_0"))
    changed = token[:place] + letter + token[place + 1 :]
    assert changed == token or read_token(changed, key) is None


@given(st.text())
def test_what_is_no_token_says_nothing(text):
    assert read_token(text, b"key") is None


@pytest.mark.realtime
async def test_the_roles_of_every_cluster_are_there_at_the_start_and_made_once(tmp_path):
    path = tmp_path / "objects.sqlite"
    versions = []
    for _ in range(2):
        async with ApiServer(path, settings=Settings(rng=random.Random(1))) as server:
            _, found = await asked(server, f"{RBAC}/clusterroles", server.token)
            versions.append({one["metadata"]["name"]: one["metadata"]["resourceVersion"] for one in found["items"]})
            await asyncio.sleep(0.1)
    assert versions[0] == versions[1]
    assert {"admin", "cluster-admin", "edit", "system:basic-user", "system:discovery", "view"} <= set(versions[0])
