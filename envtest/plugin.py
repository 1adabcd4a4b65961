"""The pytest plugin: nothing of Windlass is loaded, and nothing starts, before a test asks for one of its fixtures.

It is registered under the entry point group `pytest11`, so it is there wherever Windlass is installed; `-p no:windlass`
takes it away. All fixtures are synchronous, and so are of use to tests of every kind.
"""

import inspect
import os
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from windlass.controller.manager import Manager
    from windlass.envtest.controlplane.shared import SharedPlane
    from windlass.envtest.kit.faults import Faults
    from windlass.informers.cluster import Cluster

__all__ = (
    "cluster",
    "control_plane",
    "faults",
    "manager",
    "namespace",
    "pytest_addoption",
    "pytest_configure",
    "pytest_pyfunc_call",
)

KINDS = ("embedded", "binaries", "container", "existing")
CONFIRMATION = "USE_EXISTING_CLUSTER"  # the name that envtest has given it
_OURS = frozenset(("cluster", "control_plane", "faults", "manager", "namespace"))
_NAME_MAX = 40  # of the 63 that a namespace may have


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--control-plane` on the command line, `control_plane` in the configuration file."""
    what = "the control plane of Windlass's fixtures: " + ", ".join(KINDS)
    group = parser.getgroup("windlass", "operators under test (windlass)")
    group.addoption("--control-plane", choices=KINDS, help=f"{what} (default: control_plane in the ini file)")
    parser.addini("control_plane", f"{what} (default: embedded)", default="embedded")
    image = "the image of the container: K3s, or one that keeps its manners"
    group.addoption("--control-plane-image", help=f"{image} (default: control_plane_image in the ini file)")
    parser.addini("control_plane_image", f"{image} (default: a version of K3s)", default="")
    privileged = "whether the container is privileged, as K3s must be (default: true)"
    parser.addini("control_plane_privileged", privileged, type="bool", default=True)


def pytest_configure(config: pytest.Config) -> None:
    """Refuse at once what would only be found out by the first test."""
    kind = _kind(config)
    if kind not in KINDS:
        raise pytest.UsageError(f"control_plane: expected one of {', '.join(KINDS)}, found {kind!r}")
    if kind == "existing" and os.environ.get(CONFIRMATION) != "true":
        raise pytest.UsageError(
            "--control-plane=existing makes and deletes namespaces, kinds and objects in the cluster of your current "
            f"kubeconfig: set {CONFIRMATION}=true to say that this is what you want"
        )


@pytest.hookimpl
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run a coroutine test that uses our fixtures, if no plugin for asynchronous tests has taken it."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj) or _OURS.isdisjoint(pyfuncitem.fixturenames):
        return None
    import asyncio  # noqa: PLC0415  # half of what the plugin would cost those who do not use it

    names = pyfuncitem._fixtureinfo.argnames
    asyncio.run(pyfuncitem.obj(**{name: pyfuncitem.funcargs[name] for name in names}))
    return True


@pytest.fixture(scope="session")
def control_plane(pytestconfig: pytest.Config) -> "Iterator[SharedPlane]":
    """The session's control plane (`windlass.envtest.controlplane.shared.SharedPlane`), embedded by default."""
    from windlass.envtest.controlplane.shared import (  # noqa: PLC0415  # see the module's first sentence
        ContainerOptions,
        SharedPlane,
    )

    image = str(pytestconfig.getoption("--control-plane-image") or pytestconfig.getini("control_plane_image"))
    container = ContainerOptions(image, bool(pytestconfig.getini("control_plane_privileged")))
    with SharedPlane(_kind(pytestconfig), container) as plane:
        yield plane


@pytest.fixture
def cluster(control_plane: "SharedPlane") -> "Cluster":
    """How a Client, a Manager or a Trial reaches the control plane."""
    return control_plane.cluster


@pytest.fixture
def namespace(control_plane: "SharedPlane", request: pytest.FixtureRequest) -> Iterator[str]:
    """The name of a fresh namespace, whose deletion is asked for after the test."""
    import secrets  # noqa: PLC0415  # see the module's first sentence

    words = re.sub(r"[^a-z0-9]+", "-", request.node.name.lower()).strip("-")[:_NAME_MAX].strip("-")
    name = f"{words or 'test'}-{secrets.token_hex(4)}"
    control_plane.create_namespace(name)
    yield name
    control_plane.delete_namespace(name)


@pytest.fixture
def faults() -> "Faults":
    """Faults to plant between `manager` and its server; none at first."""
    from windlass.envtest.kit.faults import Faults  # noqa: PLC0415  # see the module's first sentence

    return Faults()


@pytest.fixture
def manager(cluster: "Cluster", namespace: str, faults: "Faults") -> "Manager":
    """A manager for the namespace, without controllers and not started: `async with manager:` starts it."""
    from windlass.controller.manager import Manager  # noqa: PLC0415  # see the module's first sentence

    return Manager(cluster=faults.on(cluster), namespace=namespace)


def _kind(config: pytest.Config) -> str:
    return str(config.getoption("--control-plane") or config.getini("control_plane"))
