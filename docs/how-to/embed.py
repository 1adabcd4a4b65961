"""A controller and a web service in one event loop: python embed.py [PORT]."""

import asyncio
import contextlib
import sys

from aiohttp import web
from greeting import Greeting, setup

from windlass.controller import Manager


async def main(port: int) -> None:
    manager = Manager()
    setup(manager)
    app = web.Application()

    async def greetings(_: web.Request) -> web.Response:
        return web.json_response([str(found.key) for found in manager.cache.list(Greeting)])

    app.router.add_get("/greetings", greetings)
    runner = web.AppRunner(app)
    async with manager:
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", port).start()
            await manager.wait()
        finally:
            await runner.cleanup()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main(int(sys.argv[1]) if sys.argv[1:] else 8081))
