"""A webhook of a case: an HTTPS server that answers as it is told and remembers what it was asked."""

import asyncio
import atexit
import base64
import contextlib
import functools
import inspect
import json
import re
import shutil
import ssl
import tempfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

from aiohttp import web
from certificates import Authority
from conformance.harness import Api, config_map

MUTATING = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations"
VALIDATING = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations"
KINDS = {MUTATING: "MutatingWebhookConfiguration", VALIDATING: "ValidatingWebhookConfiguration"}
HANG_SECONDS = 20.0
ALLOWED = {"allowed": True}


@functools.cache
def _authority(name: str) -> Authority:
    folder = Path(tempfile.mkdtemp(prefix="webhooks-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Authority(folder, name)


@functools.cache
def _certificate(names: str) -> tuple[Path, Path]:
    return _authority("webhooks").issue(f"/CN={re.sub('[^a-z0-9]', '-', names)}", names=names)


def _bundle(authority: Authority) -> str:
    return base64.b64encode(authority.ca_file.read_bytes()).decode()


class Webhook:
    """`answer` maps a request to a response of its kind; what is not a dictionary is sent as it is, None hangs."""

    def __init__(self, answer: Callable[[dict[str, Any]], Any], host: str, context: ssl.SSLContext) -> None:
        self.host = host
        self.port = 0
        self.paths: set[str] = set()
        self._context = context
        self.answer = answer
        self.requests: list[dict[str, Any]] = []
        self.reviews: list[dict[str, Any]] = []
        self.queries: list[dict[str, str]] = []

    def client(self, path: str = "/") -> dict[str, Any]:
        """The clientConfig that leads here."""
        return {"url": f"https://{self.host}:{self.port}{path}", "caBundle": self.authority()}

    @staticmethod
    def authority() -> str:
        """The caBundle to trust it by."""
        return _bundle(_authority("webhooks"))

    @staticmethod
    def other_authority() -> str:
        """A caBundle that knows it not."""
        return _bundle(_authority("others"))

    def certify(self, names: str) -> None:
        """Serve under other names from now on."""
        self._context.load_cert_chain(*_certificate(names))

    async def handle(self, request: web.Request) -> web.Response:
        review = json.loads(await request.read())
        if _is_foreign(review["request"].get("object")):
            told = {"uid": review["request"]["uid"], "allowed": not request.path.endswith("/probe")}
            return web.json_response({key: review[key] for key in ("apiVersion", "kind")} | {"response": told})
        self.reviews.append(review)
        self.queries.append(dict(request.query))
        self.paths.add(request.path)
        self.requests.append(review["request"])
        answer = self.answer(review["request"])
        if inspect.isawaitable(answer):
            answer = await answer
        if answer is None:
            await asyncio.sleep(HANG_SECONDS)
        if not isinstance(answer, dict):
            return answer
        response = {"uid": review["request"]["uid"]} | answer
        return web.json_response({key: review[key] for key in ("apiVersion", "kind")} | {"response": response})


@contextlib.asynccontextmanager
async def open_webhook(
    answer: Callable[[dict[str, Any]], Any], at: tuple[str, str] = ("127.0.0.1", "127.0.0.1")
) -> AsyncIterator[Webhook]:
    """A webhook that runs; `at` is where it listens, and the host by which it is called."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    address, host = at
    webhook = Webhook(answer, host, context)
    webhook.certify("IP:127.0.0.1" if host == address else f"DNS:{host}")
    application = web.Application()
    application.router.add_post("/{path:.*}", webhook.handle)
    runner = web.AppRunner(application, shutdown_timeout=0.0, handler_cancellation=True)
    await runner.setup()
    try:
        await web.TCPSite(runner, address, 0, ssl_context=context).start()
        webhook.port = runner.addresses[0][1]
        yield webhook
    finally:
        await runner.cleanup()


def webhook_for(api: Api, answer: Callable[[dict[str, Any]], Any]) -> contextlib.AbstractAsyncContextManager[Webhook]:
    """A webhook that runs where the server of the case finds it."""
    return open_webhook(answer, api.called_back_at)


def patch(*operations: dict[str, Any]) -> dict[str, Any]:
    """The response that allows with a JSON patch."""
    raw = base64.b64encode(json.dumps(list(operations)).encode()).decode()
    return {"allowed": True, "patchType": "JSONPatch", "patch": raw}


def _is_foreign(obj: Any) -> bool:
    """Whether this is no object of the case, but its probe, or what a controller puts into every new namespace."""
    if not isinstance(obj, dict):
        return False
    metadata = obj["metadata"]
    if obj.get("kind") == "ServiceAccount" or obj.get("type") == "kubernetes.io/service-account-token":
        return str(metadata.get("name")).startswith("default")
    return "probe" in (metadata.get("labels") or {}) or metadata.get("name") == "kube-root-ca.crt"


def rule(*resources: str, **fields: Any) -> dict[str, Any]:
    """Every write of these resources."""
    base = {"apiGroups": ["*"], "apiVersions": ["*"], "operations": ["*"], "resources": list(resources)}
    return base | fields


WRITES = [rule("configmaps", "widgets", "widgets/status", "widgets/scale")]


def hook(webhook: Webhook, name: str = "one.conformance.dev", **fields: Any) -> dict[str, Any]:
    """One entry of a configuration, for every write of ConfigMaps and widgets."""
    return {
        "name": name,
        "clientConfig": webhook.client(),
        "rules": WRITES,
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
        "timeoutSeconds": 10,
    } | fields


@contextlib.asynccontextmanager
async def registered(api: Api, path: str, *hooks: dict[str, Any]) -> AsyncIterator[None]:
    """A configuration of webhooks for the case's namespace, in force; gone at the end."""
    await api.merge(f"/api/v1/namespaces/{api.namespace}", {"metadata": {"labels": {"case": api.namespace}}})
    mine = {"matchLabels": {"case": api.namespace}}
    signal = {"probe": KINDS[path]}  # its own: another configuration in force says nothing about this one
    async with webhook_for(api, lambda request: ALLOWED) as probe:
        last = hook(
            probe,
            "probe.conformance.dev",
            clientConfig=probe.client("/probe"),
            rules=[rule("configmaps", operations=["CREATE"])],
            objectSelector={"matchLabels": signal},
        )
        entries = [one if "namespaceSelector" in one else one | {"namespaceSelector": mine} for one in (*hooks, last)]
        await api.made(path, configuration(path, api.namespace, *entries))
        try:

            async def in_force() -> bool:
                body = config_map("probe", labels=signal)
                return (await api.create(api.config_maps, body, dryRun="All")).code != 201

            await api.until(in_force)
            yield
        finally:
            await api.delete(f"{path}/{api.namespace}")


@contextlib.asynccontextmanager
async def asked(api: Api, path: str, answer: Any, **fields: Any) -> AsyncIterator[Webhook]:
    """A webhook that is registered; `answer` may be the one response that it gives."""
    tell = answer if callable(answer) else lambda request: answer
    async with webhook_for(api, tell) as webhook, registered(api, path, hook(webhook, **fields)):
        yield webhook


def configuration(path: str, name: str, *hooks: dict[str, Any]) -> dict[str, Any]:
    """A whole configuration."""
    metadata = {"name": name}
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": KINDS[path],
        "metadata": metadata,
        "webhooks": list(hooks),
    }
