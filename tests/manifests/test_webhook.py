"""The conversion webhook over real TLS: asked by us, and by an API server that stores one version and serves two."""

import asyncio
import base64
import contextlib
import ssl
import uuid

import aiohttp
import attrs
import pytest
from certificates import Authority
from servers import EVERY_SERVER, called_back_at, open_server

from windlass.informers import Api, Client, Cluster, CustomResource, Key, Namespace, ObjectMeta
from windlass.informers.builtins import CustomResourceDefinition
from windlass.informers.errors import ApiError, NotFound
from windlass.manifests import (
    ConversionServer,
    Versions,
    Webhook,
    WebhookError,
    WebhookSettings,
    conversion_application,
    crd,
    kind,
    written,
)


@attrs.frozen
class LampSpec:
    watts: int = 5


@attrs.frozen
class NewLampSpec:
    milliwatts: int = 5000


@kind("webhook.windlass.example/v1", name="Lamp")
@attrs.frozen
class Lamp(CustomResource):
    spec: LampSpec = LampSpec()


@kind("webhook.windlass.example/v2", name="Lamp")
@attrs.frozen
class NewLamp(CustomResource):
    spec: NewLampSpec = NewLampSpec()


def brighter(lamp: Lamp) -> NewLamp:
    return NewLamp(spec=NewLampSpec(lamp.spec.watts * 1000))


def dimmer(lamp: NewLamp) -> Lamp:
    if lamp.spec.milliwatts % 1000:
        raise ValueError(f"{lamp.spec.milliwatts} mW are no whole watts")
    return Lamp(spec=LampSpec(lamp.spec.milliwatts // 1000))


LAMPS = Versions(NewLamp).also(Lamp, up=brighter, down=dimmer)


@contextlib.asynccontextmanager
async def serving(tmp_path, *, host="127.0.0.1", **changes):
    authority = Authority(tmp_path)
    certificate, key = authority.issue("/CN=webhook", names="IP:127.0.0.1,DNS:localhost,DNS:host.docker.internal")
    server = ConversionServer([LAMPS], WebhookSettings(certificate, key, host=host, port=0, **changes))
    task = asyncio.create_task(server.run())
    try:
        await asyncio.wait_for(server.ready(), 20)
        yield server, authority
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


@pytest.mark.realtime(limit=180)
@pytest.mark.parametrize("server_kind", EVERY_SERVER)
async def test_an_api_server_shows_every_object_in_both_versions(server_kind, tmp_path):
    namespace = f"lamps-{uuid.uuid4().hex[:8]}"
    async with contextlib.AsyncExitStack() as stack:
        server = await stack.enter_async_context(open_server(server_kind))
        address, host = called_back_at(server)
        webhook, authority = await stack.enter_async_context(serving(tmp_path, host=address))
        api = Api(await stack.enter_async_context(Client(Cluster.from_dict(server.kubeconfig()))))
        bundle = base64.b64encode(authority.ca_file.read_bytes()).decode()
        url = f"https://{host}:{webhook.port}/convert"
        await api.create(CustomResourceDefinition, crd(LAMPS, conversion=Webhook(url=url, ca_bundle=bundle)))
        try:
            await api.create(Namespace, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
            await in_both_versions(api, namespace)
        finally:
            await api.delete(CustomResourceDefinition, Key("", "lamps.webhook.windlass.example"))


async def in_both_versions(api, namespace):
    async with asyncio.timeout(30):
        while True:
            with contextlib.suppress(NotFound):
                await api.list(Lamp)
                await api.list(NewLamp)
                break
            await asyncio.sleep(0.1)
    old = Lamp(metadata=ObjectMeta(name="old", labels={"a": "b"}), spec=LampSpec(7))
    await api.create(Lamp, written(old), namespace=namespace)
    new = NewLamp(metadata=ObjectMeta(name="new"), spec=NewLampSpec(9000))
    await api.create(NewLamp, written(new), namespace=namespace)
    seen = (await api.get(NewLamp, Key(namespace, "old"))).as_(NewLamp)
    assert seen.spec == NewLampSpec(7000)
    assert seen.metadata.labels == {"a": "b"}
    listed = [one.as_(Lamp) for one in (await api.list(Lamp, namespace=namespace)).items]
    assert {one.metadata.name: one.spec.watts for one in listed} == {"old": 7, "new": 9}
    await api.patch(Lamp, Key(namespace, "new"), {"spec": {"watts": 3}})
    assert (await api.get(NewLamp, Key(namespace, "new"))).as_(NewLamp).spec == NewLampSpec(3000)
    odd = attrs.evolve(new, metadata=ObjectMeta(name="odd"), spec=NewLampSpec(1))
    await api.create(NewLamp, written(odd), namespace=namespace)
    with pytest.raises(ApiError, match="1 mW are no whole watts"):
        await api.get(Lamp, Key(namespace, "odd"))


@pytest.mark.realtime
async def test_what_is_no_review_gets_400_and_one_sentence(tmp_path):
    async with serving(tmp_path) as (webhook, authority), aiohttp.ClientSession() as session:
        url = f"https://127.0.0.1:{webhook.port}"
        context = ssl.create_default_context(cafile=authority.ca_file)
        async with session.post(f"{url}/convert", data=b"{", ssl=context) as response:
            assert response.status == 400
            assert list(await response.json()) == ["error"]
        async with session.post(f"{url}/convert", json={"kind": "Pod"}, ssl=context) as response:
            assert response.status == 400
            assert (await response.json())["error"].startswith("kind: expected that of a ConversionReview")
        async with session.get(f"{url}/healthz", ssl=context) as response:
            assert response.status == 200


@pytest.mark.realtime
async def test_a_renewed_certificate_is_shown_to_new_connections(tmp_path):
    async with serving(tmp_path, reload_seconds=0.05) as (webhook, _):
        renewing = tmp_path / "renewed"
        renewing.mkdir()
        renewed = Authority(renewing, name="other")
        certificate, key = renewed.issue("/CN=webhook", names="IP:127.0.0.1")
        webhook._settings.key.write_bytes(key.read_bytes())
        webhook._settings.certificate.write_bytes(certificate.read_bytes())
        wanted = ssl.PEM_cert_to_DER_cert(certificate.read_text())
        async with asyncio.timeout(20):
            while await shown(webhook.port) != wanted:  # noqa: ASYNC110 - it is asked over the network
                await asyncio.sleep(0.05)


async def shown(port):
    """The certificate of a new connection, whoever signed it."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
    try:
        return writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    finally:
        writer.close()
        await writer.wait_closed()


@pytest.mark.realtime
async def test_a_certificate_or_a_port_that_cannot_be_used_is_named(tmp_path):
    missing = ConversionServer([LAMPS], WebhookSettings(tmp_path / "no.crt", tmp_path / "no.key"))
    with pytest.raises(WebhookError, match=r"no\.crt"):
        await missing.run()
    (tmp_path / "bad.crt").write_text("nothing")
    bad = ConversionServer([LAMPS], WebhookSettings(tmp_path / "bad.crt", tmp_path / "bad.crt"))
    with pytest.raises(WebhookError, match="expected a certificate and its key"):
        await bad.run()
    async with serving(tmp_path) as (webhook, _):
        settings = attrs.evolve(webhook._settings, port=webhook.port)
        with pytest.raises(WebhookError, match=f"cannot listen on 127.0.0.1:{webhook.port}"):
            await ConversionServer([LAMPS], settings).run()


def test_the_application_can_be_part_of_another():
    routes = {route.resource.canonical for route in conversion_application([LAMPS], path="/lamps").router.routes()}

    assert routes == {"/lamps", "/healthz"}
