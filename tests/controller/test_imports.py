"""What importing the library does not bring, because most who import it never use it."""

import subprocess
import sys

ABSENT = {"aiohttp.web", "kubernetes_asyncio", "numpy", "prometheus_client", "uvloop"}


def test_controllers_can_be_imported_without_a_web_server_and_other_heavy_things():
    program = f"import sys, windlass.controller; print(sorted(sys.modules.keys() & {ABSENT!r}))"
    told = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)

    assert told.stdout == "[]\n"
