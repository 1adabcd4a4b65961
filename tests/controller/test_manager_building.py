"""A manager that cannot work is not built, and all that is wrong with it is said at once."""

import functools
import re
from functools import partial

import pytest

from windlass.controller import (
    Context,
    DuplicateName,
    ExecutorNotFound,
    KindNotRegistered,
    Manager,
    ManagerError,
    Request,
    Settings,
    Watch,
    map_self,
)
from windlass.controller.election import LeaderElection
from windlass.controller.errors import ManagerFaults
from windlass.controller.sharding import Sharding
from windlass.informers.builtins import Node, Pod
from windlass.informers.errors import UnregisteredKind
from windlass.informers.keys import Key
from windlass.informers.resources import Resource

ROCKET = Resource("example.com", "v1", "Rocket", "rockets")
OTHER_ROCKET = Resource("example.com", "v1", "Rocket", "missiles")


async def nothing(ctx: Context, request: Request) -> None:
    """Reconciles by doing nothing."""


def test_everything_wrong_with_the_manager_itself_is_listed():
    with pytest.raises(ManagerFaults, match="this manager cannot be built: 3 things are wrong") as caught:
        Manager(
            kinds=[int, ROCKET, OTHER_ROCKET],
            settings=Settings(probe_port=0, probe_host="0.0.0.0"),
        )
    assert [type(fault) for fault in caught.value.faults] == [UnregisteredKind, ManagerError, ManagerError]
    assert "registered twice, differently" in str(caught.value)
    assert "Settings.probe_token" in str(caught.value)


def test_everything_wrong_with_a_controller_is_listed_and_none_is_added():
    manager = Manager()
    manager.controller(nothing, for_=Pod)
    with pytest.raises(ManagerFaults) as caught:
        manager.controller(
            nothing,
            for_=Pod,
            owns=[Node, ROCKET],
            watches=[Watch(ROCKET, map_self)],
            reads=[ROCKET],
            executors=["no-such-executor"],
            workers=0,
            offload=True,
        )
    assert [type(fault) for fault in caught.value.faults] == [
        KindNotRegistered,  # reads
        ManagerError,  # a pod cannot own a node
        KindNotRegistered,  # owns
        KindNotRegistered,  # watches
        ManagerError,  # workers
        ManagerError,  # offload
        ExecutorNotFound,
        DuplicateName,
    ]
    text = str(caught.value)
    assert text.startswith("the controller pod cannot be added: 8 things are wrong:\n- the controller pod (reads) uses")
    assert "\n- the controller pod: expected workers >= 1" in text
    assert "offloaded reconciler is a plain function" in text
    assert "the controller pod (reads) uses the kind Rocket" in text
    assert "there is no executor named 'no-such-executor'; known executors: " in text
    assert [one.name for one in manager.controllers] == ["pod"]


def test_without_a_kind_to_be_for_the_rest_is_looked_at_all_the_same():
    with pytest.raises(ManagerFaults, match="this controller cannot be added: 2 things") as caught:
        Manager().controller(nothing, for_=ROCKET, owns=[ROCKET])
    assert [str(fault).partition(" uses")[0] for fault in caught.value.faults] == ["for_", "this controller (owns)"]


def test_one_fault_is_raised_as_what_it_is():
    with pytest.raises(ExecutorNotFound):
        Manager().controller(nothing, for_=Pod, executors=["no-such-executor"])


def test_an_executor_that_is_there_is_no_fault():
    """Looked up in the registry, where entry points of installed packages are found."""
    from windlass.controller.executors import executors

    class Idle:
        name = "idle-of-this-test"

        def render(self, job):
            return job

        async def start(self, plan):
            return plan

        async def observe(self, handle):
            return handle

        async def cancel(self, handle):
            return None

    executors.register(Idle.name, Idle(), replace=True)
    assert Manager().controller(nothing, for_=Pod, executors=[Idle.name]).name == "pod"


def test_an_offloaded_reconciler_is_a_plain_function():
    def reconcile(ctx, request):
        return None

    assert Manager().controller(reconcile, for_=Pod, offload=True).spec.offload
    with pytest.raises(ManagerError, match="an offloaded reconciler is a plain function, found the coroutine function"):
        Manager().controller(nothing, for_=Pod, offload=True)


@pytest.mark.parametrize(
    ("settings", "fault"),
    [
        ({"probe_host": "0.0.0.0", "probe_port": 0}, "which others can reach"),
        ({"probe_token": "", "probe_port": 0}, "probe_token is empty"),
    ],
)
def test_a_probe_server_for_everybody_needs_a_token(settings, fault):
    with pytest.raises(ManagerError, match=fault):
        Manager(settings=Settings(**settings))


@pytest.mark.parametrize(
    "settings",
    [
        {"probe_host": "0.0.0.0"},
        {"probe_host": "0.0.0.0", "probe_port": 0, "probe_token": "secret"},
        {"probe_port": 0},
    ],
    ids=["no server at all", "with a token", "loopback"],
)
def test_otherwise_it_is_built(settings):
    Manager(settings=Settings(**settings))


def test_the_token_is_not_shown():
    assert "secret" not in repr(Settings(probe_token="secret"))


def plain(ctx: Context, request: Request) -> None:
    """Needs `offload=True`."""


async def alone(request: Request) -> None:
    """Lacks the context."""


async def three(ctx: Context, request: Request, more: int) -> None:
    """Wants something that nobody gives."""


class Waits:
    async def __call__(self, ctx, request): ...


@pytest.mark.parametrize(
    ("reconcile", "offload", "says"),
    [
        (
            plain,
            False,
            "expected `async def`, or offload=True for a plain function; found the plain function <function",
        ),
        (partial(plain), False, "expected `async def`"),
        (Manager, False, "expected `async def`"),
        (alone, False, "expected a reconciler that takes .ctx, request., found <function alone"),
        (three, False, "which does not: missing a required argument: 'more'"),
        (partial(plain, None), True, "which does not: too many positional arguments"),
        (Waits(), True, "found the coroutine function"),
        (None, False, "expected a reconciler .ctx, request., found None"),
    ],
)
def test_what_cannot_reconcile_is_refused_when_it_is_added(reconcile, offload, says):
    with pytest.raises(ManagerError, match=f"the controller pod: .*{says}"):
        Manager().controller(reconcile, for_=Pod, offload=offload)


def test_whatever_can_be_waited_for_is_taken():
    @functools.wraps(nothing)
    def wrapped(*arguments):
        return nothing(*arguments)

    for reconcile in (
        nothing,
        Waits(),
        partial(three, more=1),
        lambda ctx, _: nothing(ctx, Request(Key("", "a"))),
        wrapped,
    ):
        assert Manager().controller(reconcile, for_=Pod).name == "pod"


@pytest.mark.parametrize("namespace", ["", "A", "a_b", "../x", "-a", "a" * 64, 7])
def test_a_namespace_that_no_cluster_has_is_refused(namespace):
    """A list in the namespace "" would be one of the whole cluster."""
    says = f"namespace: expected at most 63 of a-z, 0-9 and '-' (DNS-1123), or None, found {namespace!r}"

    with pytest.raises(ManagerError, match=re.escape(says)):
        Manager(namespace=namespace)
    for part in (LeaderElection("a", namespace), Sharding("a", namespace)):
        with pytest.raises(ManagerError, match=re.escape(says)):
            part.validate()
