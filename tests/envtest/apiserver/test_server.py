import asyncio
import contextlib
import io
import os
import random
import signal
import socket
import stat
import sys
from pathlib import Path

import aiohttp
import pytest
import yaml
from seeds import announced_seed

from windlass.envtest.apiserver import ApiServer, ServerError, Settings, WatchTimes

WIDGETS = "/apis/ex.dev/v1/namespaces/default/widgets"
CONFIG_MAPS = "/api/v1/namespaces/default/configmaps"
CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
PATCHES = {
    "json": "application/json-patch+json",
    "merge": "application/merge-patch+json",
    "strategic": "application/strategic-merge-patch+json",
    "apply": "application/apply-patch+yaml",
}


def definition(**version):
    schema = {
        "type": "object",
        "properties": {
            "spec": {
                "type": "object",
                "required": ["replicas"],
                "properties": {
                    "replicas": {"type": "integer", "minimum": 0, "maximum": 10},
                    "mode": {"type": "string", "enum": ["fast", "slow"], "default": "fast"},
                    "items": {
                        "type": "array",
                        "x-kubernetes-list-type": "map",
                        "x-kubernetes-list-map-keys": ["name"],
                        "items": {
                            "type": "object",
                            "required": ["name"],
                            "properties": {"name": {"type": "string"}, "value": {"type": "integer"}},
                        },
                    },
                },
            },
            "status": {"type": "object", "properties": {"phase": {"type": "string"}, "replicas": {"type": "integer"}}},
        },
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "widgets.ex.dev"},
        "spec": {
            "group": "ex.dev",
            "scope": "Namespaced",
            "names": {"plural": "widgets", "kind": "Widget", "shortNames": ["wd"]},
            "versions": [
                {
                    "name": "v1",
                    "served": True,
                    "storage": True,
                    "subresources": {
                        "status": {},
                        "scale": {"specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas"},
                    },
                    "schema": {"openAPIV3Schema": schema},
                }
                | version
            ],
        },
    }


def widget(name="a", **metadata):
    spec = {"replicas": 3}
    return {"apiVersion": "ex.dev/v1", "kind": "Widget", "metadata": {"name": name} | metadata, "spec": spec}


def config_map(name="a", data=None, **metadata):
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name} | metadata, "data": data or {"k": "v"}}


class Client:
    def __init__(self, server, session):
        self.server = server
        self.session = session

    async def ask(self, method, path, body=None, *, headers=None, code=None, **query):
        url = self.server.url + path
        text = {key: str(value) for key, value in query.items()}
        async with self.session.request(method, url, json=body, params=text, headers=headers) as response:
            raw = await response.read()
            found = await response.json() if "json" in response.headers["Content-Type"] else raw.decode()
            assert code is None or response.status == code, found
            self.headers = response.headers
            return found

    async def get(self, path, code=200, **query):
        return await self.ask("GET", path, code=code, **query)

    async def create(self, path, body, code=201, **query):
        return await self.ask("POST", path, body, code=code, **query)

    async def put(self, path, body, code=200, **query):
        return await self.ask("PUT", path, body, code=code, **query)

    async def delete(self, path, body=None, code=200, **query):
        return await self.ask("DELETE", path, body, code=code, **query)

    async def patch(self, path, body, kind="merge", code=200, **query):
        return await self.ask("PATCH", path, body, headers={"Content-Type": PATCHES[kind]}, code=code, **query)

    @contextlib.asynccontextmanager
    async def watch(self, path, **query):
        text = {key: str(value) for key, value in query.items()} | {"watch": "true"}
        async with self.session.get(self.server.url + path, params=text) as response:
            assert response.status == 200, await response.text()
            yield Lines(response)


class Lines:
    def __init__(self, response):
        self.response = response

    async def next(self):
        async with asyncio.timeout(5):
            line = await self.response.content.readline()
        return yaml.safe_load(line) if line else None

    async def take(self, count):
        return [await self.next() for _ in range(count)]


@contextlib.asynccontextmanager
async def cluster(*, crd=True, database=None, **settings):
    settings.setdefault("rng", random.Random(7))
    async with (
        ApiServer(database, settings=Settings(**settings)) as server,
        aiohttp.ClientSession(headers={"Authorization": f"Bearer {server.token}"}) as session,
    ):
        client = Client(server, session)
        if crd:
            await client.create(CRDS, definition(), code=None)
        yield client


async def eventually(check):
    for _ in range(200):
        if await check():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it did not come about within 2 s")


async def gone(client, path):
    await eventually(lambda: _is_gone(client, path))


async def _is_gone(client, path):
    return (await client.ask("GET", path)).get("code") == 404


# --- 5.1, 5.2: errors and create


@pytest.mark.realtime
async def test_a_created_object_gets_its_identity_and_its_defaults_and_loses_what_is_not_its_own():
    async with cluster() as client:
        sent = widget(uid="mine", deletionTimestamp="2020-01-01T00:00:00Z", generation=7) | {"status": {"phase": "x"}}
        sent["spec"]["unknown"] = 1
        created = await client.create(WIDGETS, sent)
        assert created["spec"] == {"replicas": 3, "mode": "fast"}
        assert "status" not in created
        metadata = created["metadata"]
        assert metadata["uid"] != "mine"
        assert metadata["generation"] == 1
        assert "deletionTimestamp" not in metadata
        assert client.headers["Warning"] == '299 - "unknown field \\"spec.unknown\\""'
        assert await client.get(f"{WIDGETS}/a") == created


@pytest.mark.realtime
async def test_errors_are_status_documents_with_the_words_of_kubernetes():
    async with cluster() as client:
        missing = await client.get(f"{WIDGETS}/x", code=404)
        assert missing["message"] == 'widgets.ex.dev "x" not found'
        assert missing["details"] == {"name": "x", "group": "ex.dev", "kind": "widgets"}
        await client.create(WIDGETS, widget())
        assert (await client.create(WIDGETS, widget(), code=409))["reason"] == "AlreadyExists"
        with_version = await client.create(WIDGETS, widget("b", resourceVersion="1"), code=500)
        assert "resourceVersion should not be set on objects to be created" in with_version["message"]
        assert await client.get("/apis/none.dev/v1/things", code=404) == "404 page not found\n"
        assert (await client.ask("POST", f"{WIDGETS}/a", widget(), code=405))["reason"] == "MethodNotAllowed"
        wrong = await client.put(f"{WIDGETS}/b", widget("a"), code=400)
        assert wrong["message"] == "the name of the object (a) does not match the name on the URL (b)"
        elsewhere = await client.create(WIDGETS, widget("c", namespace="kube-system"), code=400)
        assert "namespace of the provided object does not match" in elsewhere["message"]
        nowhere = await client.create("/apis/ex.dev/v1/namespaces/nope/widgets", widget(), code=404)
        assert nowhere["message"] == 'namespaces "nope" not found'


@pytest.mark.realtime
async def test_an_invalid_object_is_refused_with_one_cause_for_each_fault():
    async with cluster() as client:
        body = widget() | {"spec": {"mode": "odd", "replicas": "many"}}
        refused = await client.create(WIDGETS, body, code=422)
        assert {cause["field"]: cause["reason"] for cause in refused["details"]["causes"]} == {
            "spec.replicas": "FieldValueTypeInvalid",
            "spec.mode": "FieldValueNotSupported",
        }
        assert refused["details"]["kind"] == "Widget"
        refused = await client.create(WIDGETS, widget() | {"spec": {}}, code=422)
        assert refused["message"] == 'Widget.ex.dev "a" is invalid: spec.replicas: Required value'


@pytest.mark.realtime
async def test_generate_name_gives_different_names():
    async with cluster() as client:
        names = set()
        for _ in range(5):
            body = widget() | {"metadata": {"generateName": "w-"}}
            names.add((await client.create(WIDGETS, body))["metadata"]["name"])
        assert len(names) == 5
        assert all(name.startswith("w-") and len(name) == 7 for name in names)


@pytest.mark.realtime
@pytest.mark.parametrize("token", [None, "right", "wrong"])
async def test_a_wrong_token_is_refused_everywhere(token):
    async with ApiServer(token="right") as server, aiohttp.ClientSession() as session:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        expected = 401 if token == "wrong" else 200
        async with session.get(server.url + "/api/v1/namespaces", headers=headers) as response:
            assert response.status == expected
        async with session.get(server.url + "/healthz", headers=headers) as response:
            assert response.status == expected


@pytest.mark.realtime
async def test_the_administrators_token_outlives_a_restart_with_the_database(tmp_path):
    path = tmp_path / "db"
    async with ApiServer(path) as server:
        first = server.token
    kept = tmp_path / "db.token"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    kept.chmod(0o644)
    async with ApiServer(path) as server, aiohttp.ClientSession() as session:
        assert server.token == first
        headers = {"Authorization": f"Bearer {first}"}
        async with session.get(server.url + "/api/v1/namespaces", headers=headers) as response:
            assert response.status == 200
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    async with ApiServer(path, token="mine") as server:
        assert server.token == "mine"
    async with ApiServer(path) as server:
        assert server.token == first
    async with ApiServer() as one, ApiServer() as other:
        assert len({one.token, other.token, first}) == 3


@pytest.mark.realtime
@pytest.mark.parametrize("found", ["", "\n", "a\x00b"])
async def test_a_kept_token_that_is_none_is_made_anew(tmp_path, found):
    (tmp_path / "db.token").write_text(found)
    async with ApiServer(tmp_path / "db") as server:
        assert (tmp_path / "db.token").read_text() == server.token + "\n"


@pytest.mark.realtime
async def test_a_token_that_cannot_be_kept_is_an_error_that_names_the_file(tmp_path):
    (tmp_path / "db.token").mkdir()
    with pytest.raises(ServerError, match=r"db\.token cannot be kept: .*directory"):
        await ApiServer(tmp_path / "db").start()


@pytest.mark.realtime
async def test_a_web_page_under_a_name_that_leads_here_is_refused():
    """DNS rebinding: without a token it would be the administrator."""
    async with ApiServer() as server, aiohttp.ClientSession() as session:
        port = server.url.rpartition(":")[2]
        for host in ("evil.example", f"evil.example:{port}", "127.0.0.1.evil.example", "[::1", ""):
            for path in ("/api/v1/namespaces", "/version"):
                async with session.get(server.url + path, headers={"Host": host}) as response:
                    assert response.status == 403, host
                    assert (await response.json())["reason"] == "Forbidden"
        own = ("127.0.0.1", "localhost", "LocalHost.", "a.localhost", "[::1]", "172.17.0.1", "host.docker.internal")
        for host in (*own, socket.gethostname()):
            async with session.get(server.url + "/api/v1/namespaces", headers={"Host": f"{host}:{port}"}) as response:
                assert response.status == 200, host


@pytest.mark.realtime
async def test_credentials_are_required_where_the_settings_say_so():
    async with (
        ApiServer(token="t", settings=Settings(without_token="refused")) as server,
        aiohttp.ClientSession() as session,
        session.get(server.url + "/api") as response,
    ):
        assert response.status == 401
        assert (await response.json())["reason"] == "Unauthorized"


@pytest.mark.realtime
@pytest.mark.parametrize(
    "body", [b"{", b"[]", b"null", b'{"metadata": 1}', b'{"kind": "Widget", "apiVersion": "v2"}', b"\xff"]
)
async def test_a_malformed_body_is_a_bad_request(body):
    async with cluster() as client:
        headers = {"Content-Type": "application/json"}
        async with client.session.post(client.server.url + WIDGETS, data=body, headers=headers) as response:
            assert response.status == 400


@pytest.mark.realtime
async def test_a_body_of_more_than_three_mebibytes_is_too_large():
    async with cluster() as client:
        body, headers = io.BytesIO(b"x" * (3 * 1024 * 1024 + 1)), {"Content-Type": "application/json"}
        async with client.session.post(client.server.url + CONFIG_MAPS, data=body, headers=headers) as response:
            assert response.status == 413
            assert (await response.json())["reason"] == "RequestEntityTooLarge"


# --- 5.3, 5.4: update, generation, subresources


@pytest.mark.realtime
async def test_generation_counts_changes_of_the_spec_only():
    async with cluster() as client:
        created = await client.create(WIDGETS, widget())
        created["spec"]["replicas"] = 4
        updated = await client.put(f"{WIDGETS}/a", created)
        assert updated["metadata"]["generation"] == 2
        updated["metadata"]["labels"] = {"x": "y"}
        labelled = await client.put(f"{WIDGETS}/a", updated)
        assert labelled["metadata"]["generation"] == 2
        labelled["status"] = {"phase": "Ready"}
        ready = await client.put(f"{WIDGETS}/a/status", labelled)
        assert ready["status"] == {"phase": "Ready"}
        assert ready["metadata"]["generation"] == 2
        assert int(ready["metadata"]["resourceVersion"]) > int(labelled["metadata"]["resourceVersion"])


@pytest.mark.realtime
async def test_an_update_without_or_with_an_old_version_is_refused():
    async with cluster() as client:
        created = await client.create(WIDGETS, widget())
        refused = await client.put(f"{WIDGETS}/a", widget(), code=422)
        assert "metadata.resourceVersion: Invalid value: 0: must be specified for an update" in refused["message"]
        await client.patch(f"{WIDGETS}/a", {"spec": {"replicas": 5}})
        stale = await client.put(f"{WIDGETS}/a", created, code=409)
        assert stale["reason"] == "Conflict"
        assert stale["message"].startswith(
            'Operation cannot be fulfilled on widgets.ex.dev "a": the object has been modified'
        )
        await client.patch(f"{WIDGETS}/a", {"metadata": {"resourceVersion": "1"}}, code=409)
        await client.put(f"{WIDGETS}/none", widget("none", resourceVersion="1"), code=404)


@pytest.mark.realtime
async def test_a_write_that_changes_nothing_keeps_the_version_and_is_not_seen_by_a_watch():
    async with cluster() as client:
        created = await client.create(WIDGETS, widget())
        async with client.watch(WIDGETS, resourceVersion=created["metadata"]["resourceVersion"]) as events:
            assert await client.put(f"{WIDGETS}/a", created) == created
            assert await client.patch(f"{WIDGETS}/a", {"spec": {"mode": "fast"}}) == created
            await client.patch(f"{WIDGETS}/a", {"spec": {"mode": "slow"}}, dryRun="All")
            changed = await client.patch(f"{WIDGETS}/a", {"spec": {"mode": "slow"}})
            assert await events.next() == {"type": "MODIFIED", "object": changed}


@pytest.mark.realtime
async def test_the_main_resource_ignores_status_and_the_status_subresource_ignores_the_rest():
    async with cluster() as client:
        await client.create(WIDGETS, widget())
        body = {"metadata": {"labels": {"x": "y"}}, "spec": {"replicas": 9}, "status": {"phase": "Ready"}}
        status = await client.patch(f"{WIDGETS}/a/status", body)
        assert (status["spec"]["replicas"], status["status"]["phase"]) == (3, "Ready")
        assert "labels" not in status["metadata"]
        main = await client.patch(f"{WIDGETS}/a", {"spec": {"replicas": 9}, "status": {"phase": "Lost"}})
        assert (main["spec"]["replicas"], main["status"]["phase"]) == (9, "Ready")
        await client.get(f"{CONFIG_MAPS}/a/status", code=404)


@pytest.mark.realtime
async def test_what_a_client_may_not_set_is_restored_or_refused():
    async with cluster() as client:
        created = await client.create(WIDGETS, widget())
        changed = {"creationTimestamp": "2001-01-01T00:00:00Z", "generation": 99}
        patched = await client.patch(f"{WIDGETS}/a", {"metadata": changed})
        assert patched == created
        refused = await client.patch(
            f"{WIDGETS}/a", {"metadata": {"deletionTimestamp": "2001-01-01T00:00:00Z"}}, code=422
        )
        assert refused["details"]["causes"][0]["field"] == "metadata.deletionTimestamp"
        wrong = await client.patch(f"{WIDGETS}/a", {"metadata": {"uid": "other"}}, code=422)
        assert wrong["details"]["causes"][0]["field"] == "metadata.uid"


@pytest.mark.realtime
async def test_scale_reads_and_writes_the_replicas_alone():
    async with cluster() as client:
        await client.create(WIDGETS, widget())
        scale = await client.get(f"{WIDGETS}/a/scale")
        assert (scale["kind"], scale["spec"], scale["status"]["replicas"]) == ("Scale", {"replicas": 3}, 0)
        scale["spec"]["replicas"] = 5
        assert (await client.put(f"{WIDGETS}/a/scale", scale))["spec"] == {"replicas": 5}
        assert (await client.patch(f"{WIDGETS}/a/scale", {"spec": {"replicas": 6}}))["spec"] == {"replicas": 6}
        after = await client.get(f"{WIDGETS}/a")
        assert (after["spec"]["replicas"], after["metadata"]["generation"]) == (6, 3)
        await client.put(f"{WIDGETS}/a/scale", {"spec": {}}, code=400)


@pytest.mark.realtime
async def test_strict_field_validation_refuses_unknown_fields():
    async with cluster() as client:
        body = widget()
        body["spec"]["colour"] = "red"
        refused = await client.create(WIDGETS, body, code=400, fieldValidation="Strict")
        assert refused["message"] == 'strict decoding error: unknown field "spec.colour"'
        await client.create(WIDGETS, body, fieldValidation="Ignore")
        assert "Warning" not in client.headers
        await client.create(WIDGETS, widget("b"), code=422, dryRun="Some")


# --- 5.5: deletion


@pytest.mark.realtime
async def test_deletion_without_finalizers_is_immediate_and_announced_under_its_own_version():
    async with cluster() as client:
        created = await client.create(WIDGETS, widget())
        async with client.watch(WIDGETS, resourceVersion=created["metadata"]["resourceVersion"]) as events:
            status = await client.delete(f"{WIDGETS}/a")
            assert status["status"] == "Success"
            details = {"name": "a", "group": "ex.dev", "kind": "widgets", "uid": created["metadata"]["uid"]}
            assert status["details"] == details
            event = await events.next()
        assert event["type"] == "DELETED"
        assert int(event["object"]["metadata"]["resourceVersion"]) > int(created["metadata"]["resourceVersion"])
        again = await client.create(WIDGETS, widget())
        assert again["metadata"]["uid"] != created["metadata"]["uid"]


@pytest.mark.realtime
async def test_finalizers_hold_an_object_until_the_last_is_gone():
    async with cluster() as client:
        await client.create(WIDGETS, widget(finalizers=["ex.dev/hold"]))
        deleting = await client.delete(f"{WIDGETS}/a")
        assert deleting["metadata"]["deletionTimestamp"]
        assert deleting["metadata"]["generation"] == 2
        assert await client.delete(f"{WIDGETS}/a") == deleting
        held = await client.create(WIDGETS, widget(), code=409)
        assert held["message"].startswith("object is being deleted: ")
        added = {"metadata": {"finalizers": ["ex.dev/hold", "ex.dev/more"]}}
        refused = await client.patch(f"{WIDGETS}/a", added, code=422)
        assert 'found new finalizers []string{"ex.dev/more"}' in refused["message"]
        await client.patch(f"{WIDGETS}/a", {"metadata": {"finalizers": None}})
        await client.get(f"{WIDGETS}/a", code=404)


@pytest.mark.realtime
async def test_preconditions_of_a_deletion_are_kept():
    async with cluster() as client:
        created = await client.create(WIDGETS, widget())
        refused = await client.delete(f"{WIDGETS}/a", {"preconditions": {"uid": "other"}}, code=409)
        assert refused["message"].endswith("The object might have been deleted and then recreated")
        assert refused["details"]["kind"] == "Widget"
        await client.delete(f"{WIDGETS}/a", {"preconditions": {"resourceVersion": "1"}}, code=409)
        both = {"orphanDependents": True, "propagationPolicy": "Orphan"}
        await client.delete(f"{WIDGETS}/a", both, code=422)
        await client.delete(f"{WIDGETS}/a", {"preconditions": {"uid": created["metadata"]["uid"]}, "dryRun": ["All"]})
        await client.delete(f"{WIDGETS}/a", {"preconditions": {"uid": created["metadata"]["uid"]}})
        await client.delete(f"{WIDGETS}/a", code=404)


@pytest.mark.realtime
async def test_a_collection_is_deleted_by_selector():
    async with cluster() as client:
        for name, tier in (("a", "x"), ("b", "y"), ("c", "x")):
            await client.create(WIDGETS, widget(name, labels={"tier": tier}))
        deleted = await client.delete(WIDGETS, labelSelector="tier=x")
        assert [item["metadata"]["name"] for item in deleted["items"]] == ["a", "c"]
        assert [item["metadata"]["name"] for item in (await client.get(WIDGETS))["items"]] == ["b"]


# --- 5.7: lists


@pytest.mark.realtime
async def test_pages_stay_in_their_snapshot_whatever_is_written_meanwhile():
    async with cluster() as client:
        for index in range(7):
            await client.create(WIDGETS, widget(f"w{index}"))
        page = await client.get(WIDGETS, limit=3)
        version, names = page["metadata"]["resourceVersion"], [item["metadata"]["name"] for item in page["items"]]
        assert page["metadata"]["remainingItemCount"] == 4
        await client.delete(f"{WIDGETS}/w4")
        await client.create(WIDGETS, widget("w3a"))
        await client.patch(f"{WIDGETS}/w5", {"spec": {"replicas": 9}})
        while page["metadata"].get("continue"):
            page = await client.get(WIDGETS, **{"limit": 3, "continue": page["metadata"]["continue"]})
            assert page["metadata"]["resourceVersion"] == version
            assert all(item["spec"]["replicas"] == 3 for item in page["items"])
            names += [item["metadata"]["name"] for item in page["items"]]
        assert names == [f"w{index}" for index in range(7)]
        exact = await client.get(WIDGETS, resourceVersion=version, resourceVersionMatch="Exact")
        assert [item["metadata"]["name"] for item in exact["items"]] == names


@pytest.mark.realtime
async def test_a_large_list_is_compressed_for_a_client_that_takes_it():
    async with cluster() as client:
        for index in range(20):
            await client.create(CONFIG_MAPS, config_map(f"c{index}", data={"k": "x" * 100_000}))
        assert len((await client.get(CONFIG_MAPS))["items"]) == 20
        assert client.headers["Content-Encoding"] == "gzip"
        await client.get(WIDGETS)
        assert "Content-Encoding" not in client.headers


@pytest.mark.realtime
async def test_objects_of_built_in_kinds_begin_with_their_kind_and_custom_ones_with_their_version():
    async with cluster() as client:
        assert list(await client.create(CONFIG_MAPS, config_map()))[:2] == ["kind", "apiVersion"]
        assert list(await client.get(f"{CONFIG_MAPS}/a"))[:2] == ["kind", "apiVersion"]
        async with client.watch(CONFIG_MAPS) as lines:
            assert list((await lines.next())["object"])[:3] == ["kind", "apiVersion", "metadata"]
        assert list(await client.create(WIDGETS, widget()))[:2] == ["apiVersion", "kind"]


@pytest.mark.realtime
async def test_an_expired_continue_token_offers_an_inconsistent_one():
    async with cluster(history_max=3) as client:
        for index in range(4):
            await client.create(WIDGETS, widget(f"w{index}"))
        page = await client.get(WIDGETS, limit=2)
        for index in range(5):
            await client.patch(f"{WIDGETS}/w0", {"spec": {"replicas": index}})
        refused = await client.get(WIDGETS, code=410, **{"limit": 2, "continue": page["metadata"]["continue"]})
        assert refused["reason"] == "Expired"
        rest = await client.get(WIDGETS, **{"continue": refused["metadata"]["continue"]})
        assert [item["metadata"]["name"] for item in rest["items"]] == ["w2", "w3"]
        await client.get(WIDGETS, code=400, **{"continue": "nonsense"})


@pytest.mark.realtime
@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({"resourceVersionMatch": "Exact"}, 422),
        ({"resourceVersionMatch": "Exact", "resourceVersion": "0"}, 422),
        ({"resourceVersion": "x"}, 400),
        ({"labelSelector": "a=(b"}, 400),
        ({"fieldSelector": "spec.replicas=3"}, 400),
        ({"sendInitialEvents": "true"}, 422),
        ({"limit": "x"}, 400),
        ({"watch": "true", "sendInitialEvents": "true"}, 422),
        ({"resourceVersion": "0", "resourceVersionMatch": "NotOlderThan"}, 200),
        ({"fieldSelector": "metadata.name=a"}, 200),
    ],
)
async def test_list_queries_are_checked(query, code):
    async with cluster() as client:
        await client.get(WIDGETS, code=code, **query)


@pytest.mark.realtime
async def test_a_version_of_the_future_is_waited_for_and_then_refused():
    async with cluster() as client:
        version = int((await client.get(WIDGETS))["metadata"]["resourceVersion"])
        waiting = asyncio.ensure_future(client.get(WIDGETS, resourceVersion=version + 1))
        await asyncio.sleep(0.05)
        await client.create(CONFIG_MAPS, config_map())
        await waiting
        refused = await client.get(WIDGETS, code=504, resourceVersion=version + 100)
        assert refused["details"]["causes"][0]["reason"] == "ResourceVersionTooLarge"


# --- 5.8: watches


@pytest.mark.realtime
async def test_a_watch_resumes_from_a_version_and_shows_selectors_entering_and_leaving():
    async with cluster() as client:
        version = (await client.get(WIDGETS))["metadata"]["resourceVersion"]
        await client.create(WIDGETS, widget(labels={"tier": "x"}))
        left = await client.patch(f"{WIDGETS}/a", {"metadata": {"labels": {"tier": "y"}}})
        await client.patch(f"{WIDGETS}/a", {"spec": {"replicas": 1}})
        await client.patch(f"{WIDGETS}/a", {"metadata": {"labels": {"tier": "x"}}})
        async with client.watch(WIDGETS, resourceVersion=version, labelSelector="tier=x") as events:
            seen = await events.take(3)
        assert [event["type"] for event in seen] == ["ADDED", "DELETED", "ADDED"]
        assert seen[1]["object"]["metadata"]["labels"] == {"tier": "x"}
        assert seen[1]["object"]["metadata"]["resourceVersion"] == left["metadata"]["resourceVersion"]


@pytest.mark.realtime
async def test_a_watch_from_before_the_history_gets_one_error_event_and_ends():
    async with cluster(history_max=2) as client:
        version = (await client.get(WIDGETS))["metadata"]["resourceVersion"]
        for index in range(4):
            await client.create(WIDGETS, widget(f"w{index}"))
        async with client.watch(WIDGETS, resourceVersion=version) as events:
            event = await events.next()
            assert (event["type"], event["object"]["code"], event["object"]["reason"]) == ("ERROR", 410, "Expired")
            assert event["object"]["message"].startswith(f"too old resource version: {version} (")
            assert await events.next() is None


@pytest.mark.realtime
async def test_history_is_forgotten_on_request():
    async with ApiServer() as server, aiohttp.ClientSession() as session:
        path = f"{server.url}{CONFIG_MAPS}?watch=1&timeoutSeconds=5&resourceVersion=1"
        server.compact()
        async with session.get(path) as response:
            assert '"code":410' in await response.text()


def test_a_server_that_has_not_started_has_no_history():
    with pytest.raises(ServerError, match="before it is started"):
        ApiServer().compact()


@pytest.mark.realtime
async def test_initial_events_end_with_an_annotated_bookmark():
    async with cluster() as client:
        await client.create(WIDGETS, widget())
        query = {"sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan", "allowWatchBookmarks": "true"}
        async with client.watch(WIDGETS, **query) as events:
            added, bookmark = await events.take(2)
            assert added["type"] == "ADDED"
            assert bookmark["type"] == "BOOKMARK"
            assert bookmark["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}
            await client.create(WIDGETS, widget("b"))
            assert (await events.next())["object"]["metadata"]["name"] == "b"


@pytest.mark.realtime
async def test_bookmarks_come_at_their_interval_and_a_watch_ends_at_its_time():
    async with cluster(times=WatchTimes(bookmark_seconds=0.05)) as client:
        async with client.watch(WIDGETS, allowWatchBookmarks="true", timeoutSeconds=1) as events:
            await client.create(CONFIG_MAPS, config_map())
            seen = []
            while (event := await events.next()) is not None:
                seen.append(event)
        assert {event["type"] for event in seen} == {"BOOKMARK"}
        assert 5 < len(seen) < 40
        versions = [int(event["object"]["metadata"]["resourceVersion"]) for event in seen]
        assert versions == sorted(versions)
        assert set(seen[0]["object"]) == {"kind", "apiVersion", "metadata"}


@pytest.mark.realtime
async def test_a_watch_that_is_not_read_is_ended_rather_than_grown():
    async with cluster(pending_max=20) as client:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(client.server.url.rpartition(":")[2]))
        writer.write(f"GET {CONFIG_MAPS}?watch=1 HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        await reader.readuntil(b"\r\n\r\n")
        for index in range(60):  # 12 MB: more than the sockets hold
            await client.create(CONFIG_MAPS, config_map(f"c{index}", data={"k": "x" * 200_000}))
        received = bytearray()
        with contextlib.suppress(ConnectionError):
            async with asyncio.timeout(20):
                while chunk := await reader.read(1 << 20):
                    received += chunk
        assert received.count(b'"ADDED"') < 60
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


@pytest.mark.realtime
async def test_a_definition_that_changes_ends_the_watches_of_its_kind():
    async with cluster() as client:
        async with client.watch(WIDGETS) as events:
            crd = await client.get(f"{CRDS}/widgets.ex.dev")
            crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]["new"] = {
                "type": "string",
                "default": "here",
            }
            await client.create(WIDGETS, widget())
            assert (await events.next())["type"] == "ADDED"
            crd = await client.put(f"{CRDS}/widgets.ex.dev", crd)
            assert await events.next() is None
        assert (await client.get(f"{WIDGETS}/a"))["spec"]["new"] == "here"
        assert (await client.get(WIDGETS))["items"][0]["spec"]["new"] == "here"


# --- 5.6, 5.11, 5.12: owners, definitions, namespaces


def owned_by(owner, name, **reference):
    metadata = owner["metadata"]
    found = {"apiVersion": owner["apiVersion"], "kind": owner["kind"], "name": metadata["name"], "uid": metadata["uid"]}
    return config_map(name, ownerReferences=[found | reference])


@pytest.mark.realtime
async def test_dependents_of_a_deleted_owner_are_collected():
    async with cluster() as client:
        owner = await client.create(WIDGETS, widget())
        await client.create(CONFIG_MAPS, owned_by(owner, "child"))
        await client.delete(f"{WIDGETS}/a")
        await gone(client, f"{CONFIG_MAPS}/child")


@pytest.mark.realtime
async def test_a_foreground_deletion_waits_for_its_blocking_dependents():
    async with cluster() as client:
        owner = await client.create(WIDGETS, widget())
        child = owned_by(owner, "child", blockOwnerDeletion=True)
        child["metadata"]["finalizers"] = ["ex.dev/hold"]
        await client.create(CONFIG_MAPS, child)
        deleting = await client.delete(f"{WIDGETS}/a", propagationPolicy="Foreground")
        assert deleting["metadata"]["finalizers"] == ["foregroundDeletion"]

        async def child_is_deleting():
            return "deletionTimestamp" in (await client.get(f"{CONFIG_MAPS}/child"))["metadata"]

        await eventually(child_is_deleting)
        await client.get(f"{WIDGETS}/a")
        await client.patch(f"{CONFIG_MAPS}/child", {"metadata": {"finalizers": None}})
        await gone(client, f"{WIDGETS}/a")


@pytest.mark.realtime
async def test_an_orphaning_deletion_leaves_the_dependents_without_the_reference():
    async with cluster() as client:
        owner = await client.create(WIDGETS, widget())
        await client.create(CONFIG_MAPS, owned_by(owner, "child"))
        await client.delete(f"{WIDGETS}/a", {"propagationPolicy": "Orphan"})
        await gone(client, f"{WIDGETS}/a")
        assert "ownerReferences" not in (await client.get(f"{CONFIG_MAPS}/child"))["metadata"]


@pytest.mark.realtime
async def test_a_deleted_definition_takes_its_objects_with_it():
    async with cluster() as client:
        await client.create(WIDGETS, widget(finalizers=["ex.dev/hold"]))
        await client.delete(f"{CRDS}/widgets.ex.dev")
        refused = await client.create(WIDGETS, widget("b"), code=403)
        assert "create not allowed while custom resource definition is terminating" in refused["message"]
        await client.patch(f"{WIDGETS}/a", {"metadata": {"finalizers": []}})
        await gone(client, f"{CRDS}/widgets.ex.dev")
        assert await client.get(WIDGETS, code=404) == "404 page not found\n"


@pytest.mark.realtime
async def test_an_established_definition_says_so_and_a_broken_one_is_refused():
    async with cluster() as client:
        crd = await client.get(f"{CRDS}/widgets.ex.dev")
        conditions = {condition["type"]: condition["status"] for condition in crd["status"]["conditions"]}
        assert conditions == {"NamesAccepted": "True", "Established": "True"}
        assert crd["status"]["storedVersions"] == ["v1"]
        broken = definition(schema={"openAPIV3Schema": {"properties": {"spec": {}}}})
        broken["metadata"]["name"] = "gadgets.ex.dev"
        refused = await client.create(CRDS, broken, code=422)
        fields = {cause["field"] for cause in refused["details"]["causes"]}
        assert "spec.validation.openAPIV3Schema.type" in fields
        assert "metadata.name" in fields


@pytest.mark.realtime
async def test_a_deleted_namespace_is_emptied_first():
    async with cluster() as client:
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "team"}}
        created = await client.create("/api/v1/namespaces", body)
        assert created["status"] == {"phase": "Active"}
        assert created["metadata"]["labels"] == {"kubernetes.io/metadata.name": "team"}
        inside = "/apis/ex.dev/v1/namespaces/team/widgets"
        await client.create(inside, widget(finalizers=["ex.dev/hold"]))
        terminating = await client.delete("/api/v1/namespaces/team")
        assert terminating["status"]["phase"] == "Terminating"
        refused = await client.create(inside, widget("b"), code=403)
        assert refused["details"]["causes"][0]["reason"] == "NamespaceTerminating"
        await client.patch(f"{inside}/a", {"metadata": {"finalizers": None}})
        await gone(client, "/api/v1/namespaces/team")
        await client.delete("/api/v1/namespaces/default", code=403)


# --- 5.9: patches and apply


@pytest.mark.realtime
async def test_patches_by_their_content_types():
    async with cluster() as client:
        await client.create(WIDGETS, widget())
        operations = [
            {"op": "test", "path": "/spec/replicas", "value": 3},
            {"op": "replace", "path": "/spec/replicas", "value": 4},
        ]
        assert (await client.patch(f"{WIDGETS}/a", operations, "json"))["spec"]["replicas"] == 4
        assert (await client.patch(f"{WIDGETS}/a", operations, "json", code=422))["reason"] == "Invalid"
        assert (await client.patch(f"{WIDGETS}/a", {}, "strategic", code=415))["reason"] == "UnsupportedMediaType"
        await client.patch(f"{WIDGETS}/none", {}, code=404)
        await client.create(CONFIG_MAPS, config_map(finalizers=["a/b"]))
        merged = await client.patch(f"{CONFIG_MAPS}/a", {"metadata": {"finalizers": ["c/d"]}}, "strategic")
        assert merged["metadata"]["finalizers"] == ["a/b", "c/d"]


@pytest.mark.realtime
async def test_apply_creates_merges_conflicts_and_removes_what_is_dropped():
    async with cluster() as client:
        config = {
            "apiVersion": "ex.dev/v1",
            "kind": "Widget",
            "spec": {"replicas": 2, "items": [{"name": "x", "value": 1}]},
        }
        first = await client.patch(f"{WIDGETS}/a", config, "apply", 201, fieldManager="one")
        assert [entry["manager"] for entry in first["metadata"]["managedFields"]] == ["one"]
        assert await client.patch(f"{WIDGETS}/a", config, "apply", fieldManager="one") == first
        other = config | {"spec": {"replicas": 5, "items": [{"name": "y"}]}}
        refused = await client.patch(f"{WIDGETS}/a", other, "apply", 409, fieldManager="two")
        assert refused["message"] == 'Apply failed with 1 conflict: conflict with "one": .spec.replicas'
        assert refused["details"]["causes"][0]["reason"] == "FieldManagerConflict"
        forced = await client.patch(f"{WIDGETS}/a", other, "apply", fieldManager="two", force="true")
        assert forced["spec"]["items"] == [{"name": "x", "value": 1}, {"name": "y"}]
        await client.patch(f"{WIDGETS}/a", config | {"spec": {"replicas": 5}}, "apply", fieldManager="one")
        assert (await client.get(f"{WIDGETS}/a"))["spec"] == {"replicas": 5, "mode": "fast", "items": [{"name": "y"}]}
        missing = await client.patch(f"{WIDGETS}/a", config, "apply", 422)
        assert "fieldManager: Required value: is required for apply patch" in missing["message"]


# --- 5.13: tables, discovery


@pytest.mark.realtime
async def test_tables_and_partial_objects_are_served_for_get_list_and_watch():
    accept = {"Accept": "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"}
    column = {"name": "Replicas", "type": "integer", "jsonPath": ".spec.replicas"}
    async with cluster(crd=False) as client:
        await client.create(CRDS, definition(additionalPrinterColumns=[column]))
        await client.create(WIDGETS, widget())
        table = await client.ask("GET", WIDGETS, headers=accept)
        assert [column["name"] for column in table["columnDefinitions"]] == ["Name", "Replicas"]
        assert table["rows"][0]["cells"] == ["a", 3]
        assert table["rows"][0]["object"]["kind"] == "PartialObjectMetadata"
        assert (await client.ask("GET", f"{WIDGETS}/a", headers=accept, includeObject="None"))["rows"] == [
            {"cells": ["a", 3]}
        ]
        client.session.headers.update(accept)
        async with client.watch(WIDGETS) as events:
            event = await events.next()
        assert (event["object"]["kind"], event["object"]["rows"][0]["cells"]) == ("Table", ["a", 3])
        accept = {"Accept": "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"}
        partial = await client.ask("GET", WIDGETS, headers=accept)
        assert set(partial["items"][0]) == {"kind", "apiVersion", "metadata"}
        await client.ask("GET", WIDGETS, headers={"Accept": "text/html"}, code=406)


@pytest.mark.realtime
async def test_discovery_follows_the_definitions():
    async with cluster() as client:
        listed = await client.get("/apis/ex.dev/v1")
        assert [entry["name"] for entry in listed["resources"]] == ["widgets", "widgets/status", "widgets/scale"]
        assert listed["resources"][0]["shortNames"] == ["wd"]
        assert "ex.dev" in [group["name"] for group in (await client.get("/apis"))["groups"]]
        assert (await client.get("/apis/ex.dev"))["preferredVersion"]["groupVersion"] == "ex.dev/v1"
        assert (await client.get("/version"))["gitVersion"] == "v1.32.0+windlass"
        document = await client.get("/openapi/v3/apis/ex.dev/v1")
        assert "dev.ex.v1.Widget" in document["components"]["schemas"]
        assert (await client.get("/openapi/v2"))["swagger"] == "2.0"


# --- the server itself


@pytest.mark.realtime
async def test_an_occupied_port_is_reported_with_its_address():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ServerError, match=f"cannot listen on 127.0.0.1:{port}"):
            await ApiServer(port=port).start()


@pytest.mark.realtime
async def test_the_server_stops_within_two_seconds_although_watches_are_open():
    loop = asyncio.get_running_loop()
    async with cluster() as client, client.watch(WIDGETS) as events:
        before = loop.time()
        await client.server.stop()
        assert loop.time() - before < 2
        assert await events.next() is None


@pytest.mark.realtime
async def test_the_kubeconfig_is_private_and_complete(tmp_path):
    async with ApiServer(token="t") as server:
        path = tmp_path / "sub" / "config"
        server.write_kubeconfig(path)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert yaml.safe_load(path.read_text()) == server.kubeconfig()
        assert os.listdir(path.parent) == ["config"]
        assert server.kubeconfig()["clusters"][0]["cluster"]["server"] == server.url
    assert repr(server) == "<ApiServer stopped>"


@pytest.mark.realtime
async def test_a_restart_keeps_objects_kinds_and_the_counter_and_expires_older_versions(tmp_path):
    path = tmp_path / "db"
    async with cluster(database=path) as client:
        created = await client.create(WIDGETS, widget())
        with pytest.raises(ServerError, match="in use by another process"):
            await ApiServer(path).start()
    async with cluster(database=path, crd=False) as client:
        assert await client.get(f"{WIDGETS}/a") == created
        last = await client.create(WIDGETS, widget("b"))
        assert int(last["metadata"]["resourceVersion"]) > int(created["metadata"]["resourceVersion"])
        async with client.watch(WIDGETS, resourceVersion=int(created["metadata"]["resourceVersion"]) - 1) as events:
            assert (await events.next())["type"] == "ERROR"


@pytest.mark.realtime
async def test_every_acknowledged_write_survives_a_kill(tmp_path):
    rng = random.Random(announced_seed())
    for _ in range(3):
        acknowledged = await _write_until_killed(tmp_path, rng.uniform(0.05, 0.4))
        async with cluster(database=tmp_path / "apiserver.sqlite", crd=False) as client:
            present = {item["metadata"]["name"]: item for item in (await client.get(CONFIG_MAPS))["items"]}
            newest = int((await client.get(CONFIG_MAPS))["metadata"]["resourceVersion"])
            assert acknowledged.keys() <= present.keys()
            assert all(int(version) <= newest for version in acknowledged.values())
            await client.delete(CONFIG_MAPS)


async def _write_until_killed(directory: Path, seconds: float) -> dict[str, str]:
    config = directory / "kubeconfig"
    config.unlink(missing_ok=True)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "windlass.envtest.apiserver", "--data", directory, "--kubeconfig", config),
        stdout=asyncio.subprocess.DEVNULL,
    )
    for _ in range(1000):
        if config.exists():
            break
        await asyncio.sleep(0.02)
    url = yaml.safe_load(config.read_text())["clusters"][0]["cluster"]["server"]
    asyncio.get_running_loop().call_later(seconds, process.send_signal, signal.SIGKILL)
    acknowledged: dict[str, str] = {}
    async with aiohttp.ClientSession() as session:
        with contextlib.suppress(aiohttp.ClientError):
            while True:
                name = f"c{len(acknowledged)}"
                async with session.post(url + CONFIG_MAPS, json=config_map(name)) as response:
                    assert response.status == 201
                    acknowledged[name] = (await response.json())["metadata"]["resourceVersion"]
    await process.wait()
    assert acknowledged
    return acknowledged
