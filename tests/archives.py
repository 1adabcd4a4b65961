"""An index of envtest archives and the archives, served over HTTP by the test itself.

A test module writes `from archives import mirror`. Tests that call it are marked `realtime`.
"""

import hashlib
import io
import tarfile
from contextlib import asynccontextmanager

import yaml
from aiohttp import web

from windlass.envtest.controlplane.binaries import machine_platform

__all__ = ("GOOD", "HERE", "Mirror", "mirror", "tar")

HERE = machine_platform()
PLACE = "controller-tools/envtest"


def tar(*members):
    """An archive of pairs of a name and a content; a TarInfo goes in as it is."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, content in members:
            info = name if isinstance(name, tarfile.TarInfo) else tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


GOOD = tar(
    *((f"{PLACE}/{name}", f"#!/bin/sh\necho {name}\n".encode()) for name in ("etcd", "kube-apiserver", "kubectl")),
    (f"{PLACE}/LICENSE", b"text"),
)


class Mirror:
    """An index and archives over HTTP, and what was asked for."""

    def __init__(self):
        self.bodies = {}
        self.releases = {}
        self.asked = []
        self.url = ""

    def add(self, version, body=GOOD, *, sha512=None, link=None):
        name = f"envtest-{version}-{HERE}.tar.gz"
        self.bodies[f"/{name}"] = body
        entry = {"hash": sha512 or hashlib.sha512(body).hexdigest(), "selfLink": link or name}
        self.releases.setdefault(version, {})[name] = entry
        return self

    async def answer(self, request):
        self.asked.append(request.path)
        if request.path == "/index.yaml":
            return web.Response(text=yaml.safe_dump({"releases": self.releases}))
        if request.path == "/cut":
            response = web.StreamResponse(headers={"Content-Length": "1000000"})
            await response.prepare(request)
            await response.write(b"only a part")
            request.transport.abort()
            return response
        if request.path not in self.bodies:
            raise web.HTTPNotFound
        return web.Response(body=self.bodies[request.path])


@asynccontextmanager
async def mirror():
    served = Mirror()
    application = web.Application()
    application.router.add_get("/{path:.*}", served.answer)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    served.url = f"http://127.0.0.1:{runner.addresses[0][1]}/index.yaml"
    try:
        yield served
    finally:
        await runner.cleanup()
