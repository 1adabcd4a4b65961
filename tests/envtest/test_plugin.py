"""The plugin as users have it: the installed wheel, pytest as a process, each way of running coroutine tests."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from servers import container_image

from windlass.envtest.controlplane.shared import SharedPlane
from windlass.informers.errors import AlreadyExists

pytest_plugins = ["pytester"]

OPERATOR = """
import asyncio
import pytest
from windlass.controller import Context, Manager, Request
from windlass.envtest.kit import Calls
from windlass.informers import ConfigMap, Key, Secret
from windlass.informers.errors import NotFound


async def reconcile(ctx: Context, request: Request) -> None:
    found = await ctx.get(ConfigMap, request.key)
    if found is not None and found.name == "a":
        await ctx.apply({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "made"}}, owner=found)


async def makes_a_secret(manager, namespace):
    manager.controller(reconcile, for_=ConfigMap, owns=[Secret])
    async with manager:
        await manager.api.create(ConfigMap, {"metadata": {"name": "a"}}, namespace=namespace)
        while manager.cache.get(Secret, Key(namespace, "made")) is None:
            await asyncio.sleep(0.01)
        return await manager.api.get(Secret, Key(namespace, "made"))
"""
TESTS = {
    "none": """
from operator_under_test import *


async def test_the_fixtures_make_a_test(manager, namespace, faults):
    lost = faults.cut(Calls("apply", Secret))
    made = await makes_a_secret(manager, namespace)
    assert made.owner_references[0].name == "a" and lost.spent
    assert namespace.startswith("test-the-fixtures-make-a-test-")


async def test_each_test_has_a_namespace_of_its_own(manager, namespace):
    with pytest.raises(NotFound):
        async with manager:
            await manager.api.get(ConfigMap, Key(namespace, "a"))


@pytest.mark.parametrize("x", ["Ää/ " * 40])
def test_a_test_may_be_synchronous_and_its_name_odd(namespace, control_plane, x):
    assert len(namespace) <= 63
    assert control_plane.environment["KUBECONFIG"]


async def test_a_coroutine_that_is_none_of_its_business():
    raise AssertionError("must not run")
""",
    "asyncio": """
from operator_under_test import *


@pytest.mark.asyncio
async def test_under_pytest_asyncio(manager, namespace):
    assert (await makes_a_secret(manager, namespace)).name == "made"
""",
    "anyio": """
from operator_under_test import *

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend():
    return "asyncio"


@pytest.fixture
async def made(manager, namespace):
    return await makes_a_secret(manager, namespace)


async def test_under_anyio(made):
    assert made.name == "made"
""",
}


WITHOUT_PLUGINS = ("-p", "no:asyncio", "-p", "no:anyio")


def prepared(pytester, *names, **ini):
    options = {"filterwarnings": "error", "asyncio_default_fixture_loop_scope": "function", **ini}
    lines = "\n".join(
        f"{key} = {value}" for key, value in options.items() if "asyncio" in names or "asyncio" not in key
    )
    pytester.makeini(f"[pytest]\n{lines}\n")
    pytester.makepyfile(operator_under_test=OPERATOR, **{f"test_{name}": TESTS[name] for name in names})
    return pytester


def test_without_a_plugin_for_coroutines_the_fixtures_work_and_nobody_elses_tests_are_touched(pytester):
    result = prepared(pytester, "none").runpytest_subprocess(*WITHOUT_PLUGINS)
    result.assert_outcomes(passed=3, failed=1)
    result.stdout.fnmatch_lines(["*async def functions are not natively supported*"])
    result.stdout.no_fnmatch_line("*must not run*")


def test_plugins_for_coroutines_run_their_tests_as_ever(pytester):
    prepared(pytester, "asyncio", "anyio").runpytest_subprocess().assert_outcomes(passed=2)


def test_a_container_serves_as_well(pytester):
    prepared(pytester, "none", control_plane_privileged="false")
    arguments = ("--control-plane=container", f"--control-plane-image={container_image()}")
    result = pytester.runpytest_subprocess(*WITHOUT_PLUGINS, *arguments, "-k", "fixtures_make or namespace_of_its_own")
    result.assert_outcomes(passed=2, deselected=2)


def test_an_existing_cluster_is_that_of_the_current_kubeconfig(control_plane, monkeypatch):
    monkeypatch.setenv("KUBECONFIG", control_plane.environment["KUBECONFIG"])
    with SharedPlane("existing") as plane:
        assert plane.cluster.server == control_plane.cluster.server
        assert plane.environment == {}
        plane.create_namespace("mine")
        with pytest.raises(AlreadyExists):
            control_plane.create_namespace("mine")
        plane.delete_namespace("mine")
        plane.delete_namespace("mine")  # once gone is gone


@pytest.mark.parametrize(
    ("arguments", "ini", "message"),
    [
        (["--control-plane=kind"], {}, "*--control-plane: invalid choice: 'kind'*"),
        ([], {"control_plane": "kind"}, "*control_plane: expected one of embedded, *, found 'kind'*"),
        (["--control-plane=existing"], {}, "*set USE_EXISTING_CLUSTER=true*"),
    ],
    ids=["option", "ini", "unconfirmed"],
)
def test_a_control_plane_that_cannot_be_meant_is_refused_at_once(pytester, arguments, ini, message):
    result = prepared(pytester, "none", **ini).runpytest_subprocess(*WITHOUT_PLUGINS, *arguments)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([message])


def test_the_plugin_loads_nothing_before_it_is_asked():
    """What is loaded is what costs: with pytest there already, nothing but the plugin's own module may be."""
    program = (
        "import json, sys, pytest; before = set(sys.modules); import windlass.envtest.plugin; "
        "print(json.dumps(sorted(set(sys.modules) - before)))"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=os.environ)
    assert json.loads(ended.stdout) == ["windlass", "windlass.envtest", "windlass.envtest.plugin"]


def test_the_plugin_is_announced_to_pytest(pytestconfig):
    assert pytestconfig.pluginmanager.has_plugin("windlass")


def test_a_kubeconfig_for_programs_is_complete(control_plane):
    file = Path(control_plane.environment["KUBECONFIG"])
    assert yaml.safe_load(file.read_text())["clusters"][0]["cluster"]["server"] == control_plane.cluster.server
    assert file.parent.stat().st_mode & 0o077 == 0
