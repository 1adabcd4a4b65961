"""A controller and a web service in one event loop."""

import asyncio

from aiohttp import web
from greeting import Greeting, setup

from windlass.controller import Manager


async def main() -> None:
    manager = Manager()
    setup(manager)
    app = web.Application()

    async def greetings(_: web.Request) -> web.Response:
        return web.json_response([str(found.key) for found in manager.cache.list(Greeting)])

    app.router.add_get("/greetings", greetings)
    runner = web.AppRunner(app)
    async with manager:
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 8081).start()
        try:
            await manager.wait()
        finally:
            await runner.cleanup()


if __name__ == "__main__":
    asyncio.run(main())
