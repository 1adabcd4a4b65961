"""TLS, tokens, certificates and origins at a running endpoint, over HTTP and gRPC alike."""

import asyncio
import contextlib
import json
import shutil
import ssl

import aiohttp
import grpc
import pytest
from certificates import Authority

from windlass.serving import (
    Access,
    Endpoint,
    EndpointError,
    EndpointOptions,
    LinearModel,
    ModelRepository,
    TlsFiles,
    TokenFile,
)
from windlass.serving.access import changes
from windlass.serving.grpc.messages import message
from windlass.serving.grpc.service import SERVICE
from windlass.serving.http.openapi import document

pytestmark = pytest.mark.realtime

TOKEN = "ann-0123456789abcdef"
INFER = "/v2/models/linear/infer"
BODY = {"inputs": [{"name": "x", "datatype": "FP64", "shape": [1], "data": [2.5]}]}
TENSOR = {"name": "x", "datatype": "FP64", "shape": [1], "contents": {"fp64_contents": [2.5]}}
MESSAGE = message("ModelInferRequest")(model_name="linear", inputs=[TENSOR]).SerializeToString()


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture(scope="module")
def stranger(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("stranger"), "stranger")


@pytest.fixture
def tokens(tmp_path):
    place = tmp_path / "tokens"
    place.write_text(f"ann {TOKEN} staff\n")
    return TokenFile(place)


@contextlib.asynccontextmanager
async def serving(**options):
    repository = ModelRepository()
    repository.add("linear", LinearModel())
    async with Endpoint(repository, port=0, options=EndpointOptions(grpc_port=0, **options)) as endpoint:
        yield endpoint


def bearer(token):
    return {"Authorization": f"Bearer {token}"}


async def asked(endpoint, method="GET", path=INFER, **kwargs):
    async with aiohttp.ClientSession(endpoint.url) as session, session.request(method, path, **kwargs) as response:
        return response.status, await response.text(), response.headers


async def called(endpoint, method="ModelInfer", raw=MESSAGE, *, credentials=None, token=None):
    """OK, or the name of the code and its details."""
    if credentials is None:
        channel = grpc.aio.insecure_channel(endpoint.grpc_address)
    else:
        channel = grpc.aio.secure_channel(endpoint.grpc_address, credentials)
    metadata = [] if token is None else [("authorization", f"Bearer {token}")]
    async with channel:
        try:
            await channel.unary_unary(f"/{SERVICE}/{method}")(raw, metadata=metadata, timeout=20)
        except grpc.aio.AioRpcError as error:
            return error.code().name, error.details()
    return "OK", ""


async def test_without_a_token_it_is_401_and_with_one_it_is_answered(tokens):
    async with serving(access=Access(tokens)) as endpoint:
        status, text, headers = await asked(endpoint, "POST", json=BODY)
        assert (status, text) == (401, '{"error":"who asks is not known; send the header Authorization: Bearer TOKEN"}')
        assert headers["WWW-Authenticate"] == "Bearer"
        status, text, headers = await asked(endpoint, "POST", json=BODY, headers=bearer("bad-0123456789abcdef"))
        assert (status, text) == (401, '{"error":"the bearer token is not valid"}')
        assert headers["WWW-Authenticate"] == 'Bearer error="invalid_token"'
        assert (await asked(endpoint, "POST", json=BODY, headers=bearer(TOKEN)))[0] == 200

        assert await called(endpoint) == (
            "UNAUTHENTICATED", "who asks is not known; send the header Authorization: Bearer TOKEN",
        )  # fmt: skip
        assert await called(endpoint, token="bad-0123456789abcdef") == (
            "UNAUTHENTICATED", "the bearer token is not valid",
        )  # fmt: skip
        assert await called(endpoint, token=TOKEN) == ("OK", "")


async def test_every_path_of_the_document_wants_a_token_or_is_one_of_the_open_ones_and_says_so(tokens):
    async with serving(access=Access(tokens)) as endpoint:
        open_paths = set()
        described = document()
        for path, operations in described["paths"].items():
            for method, operation in operations.items():
                status, text, _ = await asked(endpoint, method.upper(), path.format(model="linear", version="1"))
                if status != 401:
                    open_paths.add(path)
                else:
                    assert set(json.loads(text)) == {"error"}
                assert {"401", "403"} <= set(operation["responses"])
        assert open_paths == {"/", "/healthz", "/page", "/readyz", "/v2/health/live", "/v2/health/ready"}
        assert described["security"] == [{}, {"bearer": []}]


async def test_what_does_not_exist_is_not_told_to_strangers(tokens):
    async with serving(access=Access(tokens)) as endpoint:
        for method, path in (("GET", "/nothing"), ("DELETE", INFER), ("GET", "/openapi.json"), ("OPTIONS", INFER)):
            assert (await asked(endpoint, method, path))[0] == 401
        assert (await asked(endpoint, "GET", "/nothing", headers=bearer(TOKEN)))[0] == 404


@pytest.mark.parametrize(
    ("opened", "statuses"),
    [({}, [200, 401]), ({"metrics_open": True}, [200, 200]), ({"health_open": False}, [401, 401])],
)
async def test_health_and_metrics_are_open_as_the_options_say(opened, statuses, tokens):
    async with serving(access=Access(tokens, **opened)) as endpoint:
        for path in ("/", "/healthz", "/readyz", "/v2/health/live", "/v2/health/ready"):
            assert (await asked(endpoint, path=path))[0] == statuses[0]
        assert (await asked(endpoint, path="/metrics"))[0] == statuses[1]
        assert (await asked(endpoint, "HEAD", "/metrics"))[0] == statuses[1]
        live = "OK" if statuses[0] == 200 else "UNAUTHENTICATED"
        for method in ("ServerLive", "ServerReady"):
            assert (await called(endpoint, method, b""))[0] == live
        assert (await called(endpoint, "ServerMetadata", b""))[0] == "UNAUTHENTICATED"


async def test_one_rule_about_a_model_holds_for_both_protocols(tokens):
    class Rules:
        async def permits(self, caller, *, verb, path):
            return (caller.name, caller.groups, verb, path) != ("ann", ("staff",), "post", INFER)

    async with serving(access=Access(tokens, Rules())) as endpoint:
        status, text, _ = await asked(endpoint, "POST", json=BODY, headers=bearer(TOKEN))
        assert (status, text) == (403, f'{{"error":"\'ann\' may not post {INFER}"}}')
        assert await called(endpoint, token=TOKEN) == ("PERMISSION_DENIED", f"'ann' may not post {INFER}")
        assert (await asked(endpoint, "POST", "/predict", json={"x": 2.5}, headers=bearer(TOKEN)))[0] == 200
        assert (await called(endpoint, "ServerMetadata", b"", token=TOKEN))[0] == "OK"


async def test_who_is_refused_cannot_make_it_hold_a_body(tokens):
    async with serving(access=Access(tokens)) as endpoint:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(endpoint.url.rpartition(":")[2]))
        writer.write(f"POST {INFER} HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n".encode())
        assert b"401" in await reader.readline()
        writer.close()


def trusting(authority, pair=(None, None)):
    certificate, key = pair
    context = ssl.create_default_context(cafile=authority.ca_file)
    if certificate is not None:
        context.load_cert_chain(certificate, key)
    parts = [None if path is None else path.read_bytes() for path in (authority.ca_file, key, certificate)]
    return context, grpc.ssl_channel_credentials(*parts)


def published(folder, authority, subject, client_ca=None):
    """Files to serve from, which a test may replace."""
    for name, path in zip(("tls.crt", "tls.key"), authority.issue(subject, names="IP:127.0.0.1"), strict=True):
        shutil.copy(path, folder / f".{name}")
        (folder / f".{name}").rename(folder / name)
    if client_ca is not None:
        shutil.copy(client_ca.ca_file, folder / ".ca.crt")
        (folder / ".ca.crt").rename(folder / "ca.crt")
    return TlsFiles(folder / "tls.crt", folder / "tls.key", None if client_ca is None else folder / "ca.crt")


async def serial(endpoint, context):
    """The serial number of the certificate that the endpoint shows over HTTPS."""
    _, writer = await asyncio.open_connection("127.0.0.1", int(endpoint.url.rpartition(":")[2]), ssl=context)
    found = writer.get_extra_info("peercert")["serialNumber"]
    writer.close()
    return found


async def test_over_tls_both_protocols_answer_whoever_trusts_the_authority(tmp_path, authority, stranger):
    context, credentials = trusting(authority)
    async with serving(tls=published(tmp_path, authority, "/CN=server")) as endpoint:
        assert endpoint.url.startswith("https://")
        assert (await asked(endpoint, "POST", json=BODY, ssl=context))[0] == 200
        assert await called(endpoint, credentials=credentials) == ("OK", "")
        other, others = trusting(stranger)
        with pytest.raises(aiohttp.ClientConnectorCertificateError):
            await asked(endpoint, ssl=other)
        assert (await called(endpoint, credentials=others))[0] == "UNAVAILABLE"
        with pytest.raises(aiohttp.ClientError):
            async with aiohttp.ClientSession() as session, session.get(endpoint.url.replace("https", "http")):
                pass


async def test_a_client_certificate_names_its_caller_and_without_one_there_is_no_connection(
    tmp_path, authority, stranger
):
    """mTLS: the common name is the caller, over both protocols."""
    files = published(tmp_path, authority, "/CN=server", client_ca=authority)
    callers = []

    class Rules:
        async def permits(self, caller, *, verb, path):
            callers.append(caller.name)
            return caller.name == "robot"

    pairs = {name: authority.issue(f"/O=machines/CN={name}") for name in ("robot", "rover")}
    async with serving(tls=files, access=Access(authorizer=Rules(), certificates=True)) as endpoint:
        for name, status, code in (("robot", 200, "OK"), ("rover", 403, "PERMISSION_DENIED")):
            context, credentials = trusting(authority, pairs[name])
            assert (await asked(endpoint, "POST", json=BODY, ssl=context))[0] == status
            assert (await called(endpoint, credentials=credentials))[0] == code
        assert callers == ["robot", "robot", "rover", "rover"]
        for pair in ((None, None), stranger.issue("/CN=robot")):
            context, credentials = trusting(authority, pair)
            with pytest.raises((aiohttp.ClientError, ssl.SSLError, ConnectionError)):
                await asked(endpoint, ssl=context)
            assert (await called(endpoint, credentials=credentials))[0] == "UNAVAILABLE"
    assert len(callers) == 4


async def test_certificate_and_authority_are_replaced_without_a_restart_or_a_lost_connection(
    tmp_path, authority, stranger, monkeypatch
):
    monkeypatch.setattr(changes, "LOOK_SECONDS", 0.0)
    files = published(tmp_path, authority, "/CN=first", client_ca=authority)
    ours, theirs = authority.issue("/CN=robot"), stranger.issue("/CN=robot")
    context, credentials = trusting(authority, ours)
    async with serving(tls=files) as endpoint, aiohttp.ClientSession(endpoint.url) as kept:
        before = await serial(endpoint, context)
        async with kept.post(INFER, json=BODY, ssl=context) as response:
            assert response.status == 200
        # Half a replacement: a certificate that is not of the key. The former pair stays in use.
        (tmp_path / "tls.crt").write_bytes(authority.issue("/CN=second", names="IP:127.0.0.1")[0].read_bytes())
        assert await serial(endpoint, context) == before
        assert await called(endpoint, credentials=credentials) == ("OK", "")
        # A whole one, with another authority for clients.
        published(tmp_path, authority, "/CN=third", client_ca=stranger)
        new_context, new_credentials = trusting(authority, theirs)
        assert await serial(endpoint, new_context) != before
        assert (await asked(endpoint, "POST", json=BODY, ssl=new_context))[0] == 200
        assert await called(endpoint, credentials=new_credentials) == ("OK", "")
        # The former authority's clients get no new connection, and keep the one they have.
        with pytest.raises((aiohttp.ClientError, ssl.SSLError, ConnectionError)):
            await asked(endpoint, ssl=context)
        assert (await called(endpoint, credentials=credentials))[0] == "UNAVAILABLE"
        async with kept.post(INFER, json=BODY, ssl=context) as response:
            assert response.status == 200


async def test_files_that_cannot_be_used_end_the_start_and_are_named(tmp_path, authority):
    certificate, key = authority.issue("/CN=server", names="IP:127.0.0.1")
    _, other = authority.issue("/CN=other", names="IP:127.0.0.1")
    (tmp_path / "text").write_text("no PEM")
    for files, named in (
        (TlsFiles(tmp_path / "none", key), "none"),
        (TlsFiles(certificate, other), "other"),
        (TlsFiles(certificate, tmp_path / "text"), "text"),
        (TlsFiles(certificate, key, tmp_path / "text"), "text"),
    ):
        before = asyncio.all_tasks()
        with pytest.raises(EndpointError, match=rf"{named}.* cannot be used"):
            async with serving(tls=files):
                pass
        assert asyncio.all_tasks() == before


def test_certificates_as_callers_need_an_authority_of_clients(tmp_path):
    with pytest.raises(EndpointError, match=r"^access\.certificates: expected tls with client_ca"):
        EndpointOptions(access=Access(certificates=True), tls=TlsFiles(tmp_path / "a", tmp_path / "b"))


async def test_no_answer_speaks_of_cors_unless_origins_are_listed():
    async with serving() as endpoint:
        origin = {"Origin": "https://app.example.com"}
        _, _, headers = await asked(endpoint, "POST", json=BODY, headers=origin)
        assert not [name for name in headers if name.lower().startswith("access-control")]
        ask = {**origin, "Access-Control-Request-Method": "POST"}
        assert (await asked(endpoint, "OPTIONS", headers=ask))[0] == 405


async def test_a_listed_origin_may_read_answers_and_refusals_and_asks_first_without_a_token(tokens):
    origin = {"Origin": "https://app.example.com"}
    async with serving(access=Access(tokens), cors_origins=("https://app.example.com",)) as endpoint:
        ask = {**origin, "Access-Control-Request-Method": "POST"}
        status, text, headers = await asked(endpoint, "OPTIONS", headers=ask)
        assert (status, text) == (204, "")
        assert headers["Access-Control-Allow-Origin"] == "https://app.example.com"
        for credentials, expected in ((bearer(TOKEN), 200), ({}, 401)):
            status, _, headers = await asked(endpoint, "POST", json=BODY, headers={**origin, **credentials})
            assert (status, headers["Access-Control-Allow-Origin"]) == (expected, "https://app.example.com")
        _, _, headers = await asked(
            endpoint, "POST", json=BODY, headers={**bearer(TOKEN), "Origin": "https://b.example"}
        )
        assert "Access-Control-Allow-Origin" not in headers


def test_an_origin_that_is_none_is_refused():
    with pytest.raises(EndpointError, match=r"cors_origins: expected origins as browsers send them.*'\*'"):
        EndpointOptions(cors_origins=("*",))
