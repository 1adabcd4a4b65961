"""`python -m windlass.envtest.apiserver`: run the server until it is interrupted."""

import argparse
import asyncio
import signal
import sys
from pathlib import Path

from windlass.envtest.apiserver.errors import ServerError
from windlass.envtest.apiserver.server import ApiServer

__all__ = ("main",)


def main(arguments: list[str] | None = None) -> int:
    """Parse the arguments and serve; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="windlass.envtest.apiserver", description="An embedded Kubernetes API server."
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=0, help="port to listen on (default: a free one)")
    parser.add_argument("--data", type=Path, help="directory that keeps the objects (default: memory only)")
    parser.add_argument("--kubeconfig", type=Path, help="where to write the kubeconfig")
    parser.add_argument("--token", default="", help="bearer token (default: a random one)")
    options = parser.parse_args(arguments)
    database = options.data / "apiserver.sqlite" if options.data else None
    server = ApiServer(database, options.host, options.port, options.token)
    try:
        asyncio.run(_serve(server, options.kubeconfig))
    except ServerError as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201
        return 1
    return 0


async def _serve(server: ApiServer, kubeconfig: Path | None) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with server:
        if kubeconfig is not None:
            server.write_kubeconfig(kubeconfig)
        print(f"serving at {server.url}", flush=True)  # noqa: T201
        await stop.wait()


if __name__ == "__main__":
    sys.exit(main())
