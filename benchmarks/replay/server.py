"""The replaying server: a process of its own that answers from a recording, and sends the changes when it is told to.

    python -m windlass.benchmarks.replay.server RECORDING --kubeconfig FILE --rate N

It writes a kubeconfig for itself and prints `listening`; on the line `go` it sends the changes to every watch, `--rate`
a second, and prints one line of JSON: how many, how late each was (`late_p50_ms`, `late_p99_ms`, against its due
moment), and what it cost (`cpu_s`). It ends with its stdin. An open loop: whoever does not read in time finds more in
the pipe, and no event's stamp is later for it.
"""

import argparse
import asyncio
import base64
import gc
import json
import selectors
import ssl
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Final

from aiohttp import web

from windlass.benchmarks.errors import BenchmarkError, ReplayFailed
from windlass.benchmarks.replay.answers import Answers
from windlass.benchmarks.replay.recording import Recording
from windlass.envtest.controlplane.kubeconfigs import write_kubeconfig

__all__ = ("Replayer", "main")

_HOST: Final = "127.0.0.1"
_NOT_FOUND: Final = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "NotFound", "code": 404}


class Replayer:
    """Answers requests, and remembers who watches."""

    def __init__(self, answers: Answers) -> None:
        self.answers = answers
        self._watches: dict[asyncio.Transport, bool] = {}  # whether it asked for bookmarks

    def application(self) -> web.Application:
        """All paths are one: what was recorded decides."""
        application = web.Application()
        application.router.add_route("*", "/{path:.*}", self._answer)
        return application

    async def send_all(self, rate: float) -> dict[str, Any]:
        """Every event at its moment, `rate` a second; how it went."""
        late: list[float] = []
        gc.collect()
        gc.freeze()  # a collection that looked at the whole recording would be a pause
        began, cpu = time.monotonic(), time.process_time()
        for number in range(len(self.answers)):
            due = began + number / rate
            await asyncio.sleep(max(0.0, due - time.monotonic()))  # at least a turn of the loop, for who reads slowly
            now = time.monotonic_ns()
            chunk = self.answers.stamped(now)
            for watch in self._watches:
                watch.write(chunk)
            late.append(now / 1e6 - due * 1e3)
        wall, cpu = time.monotonic() - began, time.process_time() - cpu
        for watch, bookmarks in self._watches.items():
            if bookmarks:
                watch.write(self.answers.closing_bookmark())
        late.sort()
        return {
            "sent": len(late),
            "wall_s": wall,
            "cpu_s": cpu,
            "late_p50_ms": late[len(late) // 2],
            "late_p99_ms": late[len(late) * 99 // 100],
        }

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        if request.method == "GET" and request.path == self.answers.path and request.query.get("watch"):
            return await self._watch(request)
        body = self.answers.document(request.path, request.query) if request.method == "GET" else None
        if body is None:
            return web.json_response({**_NOT_FOUND, "message": f"{request.path} was not recorded"}, status=404)
        return web.Response(body=body, content_type="application/json")

    async def _watch(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        response.enable_chunked_encoding()
        await response.prepare(request)
        transport = request.transport
        assert isinstance(transport, asyncio.Transport)
        # Past aiohttp: its stream waits for readers that are slow, and an open loop does not.
        transport.write(self.answers.opening(request.query))
        self._watches[transport] = request.query.get("allowWatchBookmarks") in ("true", "1")
        try:
            await asyncio.get_running_loop().create_future()  # until the connection goes
        finally:
            del self._watches[transport]
        return response


async def _serve(recording: Recording, kubeconfig: Path, rate: float) -> None:
    replayer = Replayer(Answers(recording))
    tls = await asyncio.to_thread(_certificate, kubeconfig.parent) if recording.tls else None
    runner = web.AppRunner(replayer.application(), handler_cancellation=True, shutdown_timeout=0.0, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, _HOST, 0, ssl_context=tls)
    await site.start()
    write_kubeconfig(kubeconfig, _kubeconfig(runner.addresses[0][1], kubeconfig.parent if recording.tls else None))
    _say("listening")
    lines = await _stdin()
    while line := await lines.readline():
        if line.strip() == b"go":
            _say(json.dumps(await replayer.send_all(rate)))
    await runner.cleanup()


def _certificate(folder: Path) -> ssl.SSLContext:
    """A certificate that the `openssl` program signs with itself; who has the kubeconfig trusts it."""
    certificate, key = folder / "replay.crt", folder / "replay.key"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-subj", "/CN=replay", "-addext", f"subjectAltName=IP:{_HOST}", "-days", "2"]
    try:
        subprocess.run([*command, "-keyout", key, "-out", certificate], check=True, capture_output=True)  # noqa: S603  # ours
    except (OSError, subprocess.CalledProcessError) as error:
        said = getattr(error, "stderr", b"") or str(error).encode()
        raise ReplayFailed(f"openssl made no certificate: {said.decode('utf-8', 'replace').strip()}") from error
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    context.set_alpn_protocols(["http/1.1"])
    return context


def _kubeconfig(port: int, folder: Path | None) -> dict[str, Any]:
    cluster = {"server": f"{'http' if folder is None else 'https'}://{_HOST}:{port}"}
    if folder is not None:
        authority = (folder / "replay.crt").read_bytes()
        cluster["certificate-authority-data"] = base64.b64encode(authority).decode()
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "replay", "cluster": cluster}],
        "users": [{"name": "replay", "user": {"token": "replay"}}],
        "contexts": [{"name": "replay", "context": {"cluster": "replay", "user": "replay", "namespace": "default"}}],
        "current-context": "replay",
    }


async def _stdin() -> asyncio.StreamReader:
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    return reader


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main() -> None:
    """Replay until stdin ends."""
    parser = argparse.ArgumentParser()
    parser.add_argument("recording", type=Path)
    parser.add_argument("--kubeconfig", type=Path, required=True)
    parser.add_argument("--rate", type=float, required=True)
    words = parser.parse_args()
    try:
        recording = Recording.load(words.recording)
        # select() waits to the microsecond; epoll, the default, to the millisecond, in which five events may be due.
        with asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(selectors.SelectSelector())) as runner:
            runner.run(_serve(recording, words.kubeconfig, words.rate))
    except BenchmarkError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
