"""Certificates on both sides, checked by real TLS: authorities, names, client certificates, their renewal, proxies."""

import asyncio
import base64
import json
import ssl
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest
from aiohttp import web
from certificates import Authority
from scripted_cluster import running, until
from servers import control_plane_binaries
from silent_tls import silent_tls, sockets_to
from tunnels import tunnel

from windlass.envtest.controlplane import ControlPlane
from windlass.informers import requests
from windlass.informers.api import Api
from windlass.informers.builtins import ConfigMap, Pod
from windlass.informers.client import Client, Timeouts
from windlass.informers.cluster import Cluster
from windlass.informers.errors import ConnectionFailed
from windlass.informers.informer import Informer
from windlass.informers.keys import Key
from windlass.informers.requests import ListOptions

pytestmark = pytest.mark.realtime

GET = requests.get(Pod, Key("default", "a"))
WATCH = requests.watch(Pod, ListOptions())


async def name_the_peer(request):
    """Answer with the common name in the client's certificate; a watch says it twice, half a second apart."""
    peer = request.transport.get_extra_info("peercert")
    name = dict(pair[0] for pair in peer["subject"])["commonName"] if peer else "nobody"
    if "watch" not in request.query:
        return web.Response(text=name)
    answer = web.StreamResponse()
    await answer.prepare(request)
    for _ in range(2):
        await answer.write(name.encode())
        await asyncio.sleep(0.5)
    return answer


@asynccontextmanager
async def tls_server(authority, names="IP:127.0.0.1", *, demand=True):
    """The port of a server with a certificate for `names`, that demands one of the same authority from its clients."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=authority.ca_file)
    context.load_cert_chain(*authority.issue("/CN=server", names=names))
    context.verify_mode = ssl.CERT_REQUIRED if demand else ssl.CERT_OPTIONAL
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", name_the_peer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
    await site.start()
    try:
        yield site._server.sockets[0].getsockname()[1]
    finally:
        await runner.cleanup()


def kubeconfig(port, authority, user, **cluster):
    """A kubeconfig with everything inline, as `kubectl config view --raw --flatten` prints it."""
    entry = {"server": f"https://127.0.0.1:{port}", "certificate-authority-data": _inline(authority.ca_file), **cluster}
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": entry}],
        "users": [{"name": "c", "user": user}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "c"}}],
        "current-context": "c",
    }


def _inline(path):
    return base64.b64encode(path.read_bytes()).decode()


def certified(pair):
    certificate, key = pair
    return {"client-certificate-data": _inline(certificate), "client-key-data": _inline(key)}


async def test_a_client_certificate_of_the_kubeconfig_is_shown_on_calls_and_streams(tmp_path):
    authority = Authority(tmp_path)
    async with tls_server(authority) as port:
        user = certified(authority.issue("/CN=ada"))
        async with Client(Cluster.from_dict(kubeconfig(port, authority, user))) as client:
            assert (await client.send(GET)).body == b"ada"
            async with client.stream(WATCH) as stream:
                assert await stream.read(5.0) == b"ada"


async def test_without_the_certificate_that_the_server_demands_there_is_our_error(tmp_path):
    authority = Authority(tmp_path)
    async with tls_server(authority) as port:
        cluster = Cluster.from_dict(kubeconfig(port, authority, {}))
        async with Client(cluster, timeouts=Timeouts(2.0, 2.0)) as client:
            with pytest.raises(ConnectionFailed):
                await client.send(GET)


async def test_a_server_of_another_authority_is_not_trusted(tmp_path):
    authority, other = Authority(tmp_path), Authority(tmp_path, "other")
    async with tls_server(authority, demand=False) as port:
        async with Client(Cluster.from_dict(kubeconfig(port, other, {}))) as client:
            with pytest.raises(ConnectionFailed, match="certificate verify failed") as caught:
                await client.send(GET)
        assert caught.value.sent is False


async def test_a_server_under_another_name_needs_that_name_in_the_configuration(tmp_path):
    authority = Authority(tmp_path)
    async with tls_server(authority, "DNS:kubernetes.default", demand=False) as port:
        async with Client(Cluster.from_dict(kubeconfig(port, authority, {}))) as client:
            with pytest.raises(ConnectionFailed, match=r"certificate is not valid for '127\.0\.0\.1'"):
                await client.send(GET)
        named = kubeconfig(port, authority, {}, **{"tls-server-name": "kubernetes.default"})
        async with Client(Cluster.from_dict(named)) as client:
            assert (await client.send(GET)).body == b"nobody"


async def test_a_plugins_certificate_is_renewed_before_it_expires_and_running_streams_go_on(tmp_path):
    authority = Authority(tmp_path)
    for name in ("first", "second"):
        certificate, key = authority.issue(f"/CN={name}")
        expires = datetime.now(UTC) + timedelta(hours=1 if name == "first" else 9)
        credential = {
            "apiVersion": "client.authentication.k8s.io/v1",
            "kind": "ExecCredential",
            "status": {
                "clientCertificateData": certificate.read_text(),
                "clientKeyData": key.read_text(),
                "expirationTimestamp": expires.strftime("%Y-%m-%dT%H:%M:%SZ"),
            },
        }
        (tmp_path / name).write_text(json.dumps(credential))
    turn = f"cd {tmp_path}; if [ -e ran ]; then cat second; else touch ran; cat first; fi"
    user = {"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": "sh", "args": ["-c", turn]}}
    async with tls_server(authority) as port, AsyncExitStack() as stack:
        cluster = Cluster.from_dict(kubeconfig(port, authority, user))
        client = await stack.enter_async_context(Client(cluster))
        stream = await stack.enter_async_context(client.stream(WATCH))
        assert await stream.read(5.0) == b"first"
        cluster.credentials.clock = lambda: datetime.now(UTC) + timedelta(minutes=56)
        await until(lambda: _answers(client, b"second"), 20.0)
        assert await stream.read(5.0) == b"first", "its connection was made with the old one"


async def _answers(client, expected):
    return (await client.send(GET)).body == expected


async def test_tls_goes_through_a_proxy_from_end_to_end(tmp_path):
    authority = Authority(tmp_path)
    async with tls_server(authority) as port, tunnel() as (address, asked):
        config = kubeconfig(port, authority, certified(authority.issue("/CN=ada")), **{"proxy-url": address})
        async with Client(Cluster.from_dict(config)) as client:
            assert (await client.send(GET)).body == b"ada"
    assert [head.split(b"\r\n")[0] for head in asked] == [b"CONNECT 127.0.0.1:%d HTTP/1.1" % port]


async def test_a_real_server_knows_us_by_our_certificate_alone(tmp_path):
    authority = Authority(tmp_path)
    flags = (f"--client-ca-file={authority.ca_file}",)
    async with ControlPlane(control_plane_binaries(), extra_apiserver_flags=flags) as plane:
        config = plane.kubeconfig()
        config["users"][0]["user"] = certified(authority.issue("/O=system:masters/CN=ada"))
        async with Client(Cluster.from_dict(config)) as client:
            informer = Informer(client, ConfigMap, namespace="default")
            async with running(informer):
                await informer.ready(20)
                key = (await Api(client).create(ConfigMap, {"metadata": {"name": "a"}}, namespace="default")).key
                await until(lambda: key in informer.store)


async def test_no_socket_outlives_the_client_whose_request_was_cancelled(tmp_path):
    """TLS says farewell and waits for the peer's: whoever ended the loop then left the socket to the collector."""
    authority = Authority(tmp_path)
    with silent_tls(authority) as (port, asked):
        async with Client(Cluster.from_dict(kubeconfig(port, authority, {}))) as client:
            request = asyncio.ensure_future(client.send(GET))
            await until(asked.is_set)
            request.cancel()
            await asyncio.wait([request])
        assert sockets_to(port) == []
