"""Coroutine tests run on a virtual-time loop; those marked `realtime` run on the ordinary loop with a limit.

Servers that tests share are stopped at the end of the session.
"""

import asyncio
import inspect

import pytest
from hypothesis import HealthCheck, settings
from seeds import EXPLORING
from servers import end_shared

from windlass.envtest.virtualtime import run_virtual

REALTIME_LIMIT_SECONDS = 60
VIRTUAL_LIMIT_SECONDS = 30 * 24 * 3600

# How fast a busy machine generates examples says nothing about the code.
settings.register_profile(
    "windlass", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=not EXPLORING
)
settings.load_profile("windlass")


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    arguments = {name: pyfuncitem.funcargs[name] for name in pyfuncitem._fixtureinfo.argnames}
    marker = pyfuncitem.get_closest_marker("realtime")
    if marker is not None:
        asyncio.run(_limited(pyfuncitem.obj(**arguments), marker.kwargs.get("limit", REALTIME_LIMIT_SECONDS)))
    else:
        run_virtual(_limited(pyfuncitem.obj(**arguments), VIRTUAL_LIMIT_SECONDS))
    return True


def pytest_sessionfinish() -> None:
    end_shared()


async def _limited(test, seconds):
    async with asyncio.timeout(seconds):
        await test
