"""`windlass serve` with what keeps an endpoint safe and lets it be seen, as a program."""

import asyncio
import contextlib
import gzip
import json
import ssl
import uuid

import aiohttp
import click
import pytest
import yaml
from accounts import ROLES, token_of
from aiohttp import web
from certificates import Authority
from click.testing import CliRunner
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from programs import WINDLASS, run, running
from servers import open_server
from tritonclient.grpc.aio import InferenceServerClient

from windlass.cli.endpoints import endpoint_options, plan_of
from windlass.informers import Api, Client, Cluster, Namespace, ServiceAccount
from windlass.serving import EndpointOptions

SERVE = (*WINDLASS, "serve", "--port", "0")
INFER = "/v2/models/linear/infer"
BODY = {"inputs": [{"name": "x", "datatype": "FP64", "shape": [1], "data": [2.5]}]}
TOKEN = "ann-0123456789abcdef"
TRACE = "0af7651916cd43dd8448eb211c80319c"

realtime = pytest.mark.realtime(limit=120)


def planned(*arguments):
    """What the options come to, or the click error."""
    found = []
    command = click.command()(endpoint_options(lambda **given: found.append(plan_of(given))))
    CliRunner().invoke(command, arguments, standalone_mode=False, catch_exceptions=False)
    return found[0].options


def test_without_options_the_defaults_are_those_of_the_class():
    assert planned() == EndpointOptions()


def test_options_become_what_they_are_called(tmp_path):
    found = planned(
        *("--grpc-port", "0", "--lame-duck", "5", "--drain", "3", "--grace", "30", "--threads", "2"),
        *("--requests-max", "7", "--max-body-bytes", "8", "--all-bodies-bytes-max", "9", "--head-seconds", "1"),
        *("--idle-seconds", "2", "--body-seconds", "3", "--stall-seconds", "4", "--connections-max", "5"),
        *("--cors-origin", "https://a.example", "--cors-origin", "https://b.example", "--access-log", "0.5"),
        *("--payload-log", str(tmp_path / "p"), "--payload-fraction", "0.25", "--payload-redact", "card", "--no-page"),
    )
    assert (found.grpc_port, found.lame_duck_seconds, found.drain_seconds, found.grace_seconds) == (0, 5, 3, 30)
    assert (found.threads, found.requests_max, found.max_body_bytes, found.all_bodies_bytes_max) == (2, 7, 8, 9)
    limits = found.connections
    assert (limits.head_seconds, limits.idle_seconds, limits.body_seconds, limits.stall_seconds) == (1, 2, 3, 4)
    assert (limits.connections_max, found.cors_origins) == (5, ("https://a.example", "https://b.example"))
    assert (found.telemetry.access_fraction, found.page) == (0.5, False)
    payloads = found.telemetry.payloads
    assert (payloads.file, payloads.fraction, payloads.redact) == (tmp_path / "p", 0.25, ("card",))


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--tls-cert", "x"), "--tls-cert and --tls-key belong together"),
        (("--client-ca", "x"), "--client-ca needs --tls-cert and --tls-key"),
        (("--tls-cert", "none", "--tls-key", "none"), "the certificate none with the key none cannot be used"),
        (("--client-certificates",), "access.certificates: expected tls with client_ca"),
        (("--token-file", "none"), "the token file none cannot be read"),
        (("--token-file", "x", "--token-reviews"), "expected one of them"),
        (("--access-reviews",), "--access-reviews needs callers"),
        (("--audience", "x"), "--audience needs --token-reviews"),
        (("--payload-fraction", "0.5"), "--payload-fraction and --payload-redact need --payload-log"),
        (("--payload-redact", "card"), "--payload-fraction and --payload-redact need --payload-log"),
        (("--traces-fraction", "0.5"), "--traces-fraction needs --traces"),
        (("--traces", "foo"), "--traces: expected a URL such as http://HOST:4318/v1/traces, found 'foo'"),
        (("--traces", "http://:4318/"), "--traces: expected a URL"),
        (("--traces", "http://a:port/"), "--traces: expected a URL"),
        (("--lame-duck", "nan"), "lame_duck_seconds: expected a number of seconds from 0, found nan"),
        (("--drain", "inf"), "drain_seconds: expected a number of seconds from 0, found inf"),
        (("--cors-origin", "*"), "cors_origins: expected origins as browsers send them"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_what_cannot_be_meant_is_wrong_usage(arguments, says):
    with pytest.raises(click.UsageError, match=says.replace("*", r"\*")):
        planned(*arguments)


def test_an_endpoint_whose_callers_are_reviewed_lets_nobody_in_before_it_can_ask():
    access = planned("--token-reviews", "--access-reviews").access
    assert asyncio.run(access.authenticator.caller("any")) is None
    assert asyncio.run(access.authorizer.permits(None, verb="get", path="/")) is False


@contextlib.asynccontextmanager
async def serving(folder, *arguments, **kwargs):
    async with running(*SERVE, *arguments, cwd=folder, **kwargs) as program:
        yield program, (await program.line("endpoint")).split()[-1]


@realtime
async def test_the_examples_answer_and_are_the_only_models(tmp_path):
    async with serving(tmp_path, "models", "--example") as (_, url), aiohttp.ClientSession(url) as session:
        async with session.post("/predict", json={"x": 2.5}) as response:
            assert await response.json() == {"prediction": -0.5}
        corners = {"name": "x", "datatype": "FP32", "shape": [4, 2], "data": [[0, 0], [0, 1], [1, 0], [1, 1]]}
        async with session.post("/v2/models/xor/infer", json={"inputs": [corners]}) as response:
            assert (await response.json())["outputs"][0]["data"] == [0, 1, 1, 0]
        async with session.get("/v2/models") as response:
            assert await response.json() == {"models": ["linear", "xor"]}


@realtime
async def test_a_repository_without_models_is_not_ready(tmp_path):
    """R2: no example makes it look as if it were."""
    async with serving(tmp_path, "models") as (_, url), aiohttp.ClientSession(url) as session:
        async with session.get("/readyz") as response:
            assert response.status == 503
        async with session.post("/predict", json={"x": 2.5}) as response:
            assert response.status == 503


@realtime
async def test_two_names_for_one_folder_are_wrong_usage(tmp_path):
    ended = await run(*SERVE, "a", "--models", "b", cwd=tmp_path)
    assert (ended.code, "FOLDER and --models are the same" in ended.err) == (2, True)


@realtime
async def test_tls_tokens_and_logs_hold_in_the_program(tmp_path):
    authority = Authority(tmp_path)
    certificate, key = authority.issue("/CN=server", names="IP:127.0.0.1")
    (tmp_path / "tokens").write_text(f"ann {TOKEN}\n")
    arguments = (
        *("--tls-cert", str(certificate), "--tls-key", str(key), "--token-file", "tokens", "--grpc-port", "0"),
        *("--access-log", "1", "--payload-log", "payloads", "--payload-redact", "prediction"),
    )
    context = ssl.create_default_context(cafile=authority.ca_file)
    bearer = {"Authorization": f"Bearer {TOKEN}"}
    async with serving(tmp_path, *arguments) as (program, url), aiohttp.ClientSession(url) as session:
        async with session.post(INFER, json=BODY, ssl=context) as response:
            assert response.status == 401
        async with session.post(INFER, json=BODY, ssl=context, headers=bearer) as response:
            assert response.status == 200
        address = (await program.line("gRPC")).split()[-1]
        async with InferenceServerClient(address, ssl=True, root_certificates=str(authority.ca_file)) as client:
            assert await client.is_server_live()
            assert await client.is_model_ready("linear", headers={"authorization": f"Bearer {TOKEN}"})
        refused = json.loads(await program.line('"status":401'))
        answered = json.loads(await program.line('"status":200'))
        program.interrupt()
        ended = await program.end()
    assert ended.code == 0
    assert (refused["path"], "caller" in refused, answered["caller"]) == (INFER, False, "ann")
    (carried,) = [json.loads(line) for line in (tmp_path / "payloads").read_text().splitlines()]
    assert carried["inputs"]["x"]["data"] == [2.5]
    assert carried["outputs"]["prediction"] == {"datatype": "FP64", "shape": [1], "redacted": True}
    assert TOKEN not in ended.out + ended.err


@realtime
@pytest.mark.parametrize("kind", ["embedded", "kubernetes"])
async def test_the_api_server_says_who_may_ask_what(kind, tmp_path):
    """By the account `system:auth-delegator` is for, and no other right."""
    async with open_server(kind) as server, Client(Cluster.from_dict(server.kubeconfig())) as client:
        api, namespace = Api(client), f"serve-{uuid.uuid4().hex[:8]}"
        await api.create(Namespace, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
        for name in ("endpoint", "ann", "bob"):
            metadata = {"name": name, "namespace": namespace}
            await api.create(ServiceAccount, {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata})
        rules = [{"nonResourceURLs": ["/v2/models/linear/*"], "verbs": ["post"]}]
        await cluster_role(api, f"asks-{namespace}", rules)
        # What `system:auth-delegator` permits; not every server brings that role along.
        rules = [
            {"apiGroups": ["authentication.k8s.io"], "resources": ["tokenreviews"], "verbs": ["create"]},
            {"apiGroups": ["authorization.k8s.io"], "resources": ["subjectaccessreviews"], "verbs": ["create"]},
        ]
        await cluster_role(api, f"reviews-{namespace}", rules)
        await bind(api, f"asks-{namespace}", namespace, "ann")
        await bind(api, f"reviews-{namespace}", namespace, "endpoint")
        config = server.kubeconfig()
        for user in config["users"]:
            user["user"] = {"token": await token_of(api, namespace, "endpoint")}
        (tmp_path / "kubeconfig").write_text(yaml.safe_dump(config))
        tokens = {name: await token_of(api, namespace, name) for name in ("ann", "bob")}
        arguments = ("--token-reviews", "--access-reviews", "--kubeconfig", "kubeconfig")
        async with serving(tmp_path, *arguments) as (_, url), aiohttp.ClientSession(url) as session:

            async def status(token, method="POST", path=INFER):
                headers = {"Authorization": f"Bearer {token}"}
                async with session.request(method, path, json=BODY, headers=headers) as response:
                    return response.status, (await response.json()).get("error")

            assert await status(tokens["ann"]) == (200, None)
            bob = f"system:serviceaccount:{namespace}:bob"
            assert await status(tokens["bob"]) == (403, f"'{bob}' may not post {INFER}")
            assert (await status(tokens["ann"], "GET", "/v2"))[0] == 403
            assert await status("invented") == (401, "the bearer token is not valid")
            async with session.get("/readyz") as response:
                assert response.status == 200


async def cluster_role(api, name, rules):
    body = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": name}}
    await api.create(ROLES["ClusterRole"], {**body, "rules": rules})


async def bind(api, role, namespace, account):
    await api.create(
        ROLES["ClusterRoleBinding"],
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": f"{role}-{account}"},
            "subjects": [{"kind": "ServiceAccount", "name": account, "namespace": namespace}],
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
        },
    )


@realtime
async def test_an_api_server_that_is_away_lets_nobody_in(tmp_path):
    config = {
        "apiVersion": "v1", "kind": "Config", "current-context": "c",
        "clusters": [{"name": "c", "cluster": {"server": "http://127.0.0.1:1"}}],
        "users": [{"name": "u", "user": {"token": "t"}}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
    }  # fmt: skip
    (tmp_path / "kubeconfig").write_text(yaml.safe_dump(config))
    arguments = ("--token-reviews", "--kubeconfig", "kubeconfig")
    async with serving(tmp_path, *arguments) as (_, url), aiohttp.ClientSession(url) as session:
        async with session.post(INFER, json=BODY, headers={"Authorization": "Bearer any"}) as response:
            assert (response.status, response.headers["Retry-After"]) == (503, "1")
        async with session.get("/healthz") as response:
            assert response.status == 200
    ended = await run(*SERVE, "--token-reviews", "--kubeconfig", "none", cwd=tmp_path)
    assert (ended.code, ended.err.count("\n")) == (2, 1)


@realtime
async def test_spans_are_sent_and_those_that_wait_at_the_end_too(tmp_path):
    """To a receiver of OTLP over HTTP, as an OpenTelemetry collector is one."""
    received = []

    async def receive(request):
        content = await request.read()
        if request.headers.get("Content-Encoding") == "gzip":
            content = gzip.decompress(content)
        received.append(ExportTraceServiceRequest.FromString(content))
        return web.Response(content_type="application/x-protobuf")

    collector = web.Application()
    collector.router.add_post("/v1/traces", receive)
    runner = web.AppRunner(collector)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    receiver = f"http://127.0.0.1:{runner.addresses[0][1]}/v1/traces"
    async with serving(tmp_path, "--traces", receiver) as (program, url):
        headers = {"traceparent": f"00-{TRACE}-b7ad6b7169203331-01"}
        async with aiohttp.ClientSession(url) as session, session.post(INFER, json=BODY, headers=headers) as response:
            assert response.headers["Traceparent"].startswith(f"00-{TRACE}-")
        program.interrupt()
        assert (await program.end()).code == 0
    await runner.cleanup()
    (resource,) = [one for request in received for one in request.resource_spans]
    attributes = {one.key: one.value.string_value for one in resource.resource.attributes}
    spans = {span.name: span for scope in resource.scope_spans for span in scope.spans}
    assert attributes["service.name"] == "windlass"
    assert "POST linear" in spans
    assert {span.trace_id.hex() for span in spans.values()} == {TRACE}
