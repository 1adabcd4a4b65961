"""One question with a limit, before anything waits for ever."""

import asyncio
from types import SimpleNamespace

import pytest

from windlass.controller.errors import ManagerError, ManagerFaults
from windlass.controller.preflight import check_access, check_server
from windlass.informers.builtins import Pod, Secret
from windlass.informers.errors import ConnectionFailed, Forbidden, NotFound, ServerError, Unauthorized

SERVER = "https://cluster.example:6443"


class FakeApi:
    """Raises what it is given, in order; then answers."""

    client = SimpleNamespace(cluster=SimpleNamespace(server=SERVER))

    def __init__(self, *errors, refused=None):
        self.errors = list(errors)
        self.refused = refused or {}
        self.listed = []

    async def server_version(self):
        if self.errors:
            raise self.errors.pop(0)
        return "v1.34.1"

    async def pages(self, resource, *, namespace, limit):
        self.listed.append((resource, namespace, limit))
        if resource in self.refused:
            raise self.refused[resource]
        yield []
        raise AssertionError("one page is enough")


def refusal(cls, code):
    return cls(code, cls.__name__, "no")


async def test_a_server_that_answers_tells_its_version():
    assert await check_server(FakeApi(), timeout_seconds=10) == "v1.34.1"


async def test_a_server_that_is_still_starting_is_waited_for():
    errors = [ConnectionFailed("refused")] * 3 + [refusal(ServerError, 503)]
    assert await check_server(FakeApi(*errors), timeout_seconds=10) == "v1.34.1"


async def test_a_server_that_does_not_come_up_is_named_with_the_last_reason():
    with pytest.raises(ManagerError, match=rf"{SERVER} could not be used within 10 s: connection refused"):
        await check_server(FakeApi(*[ConnectionFailed("connection refused")] * 1000), timeout_seconds=10)
    assert asyncio.get_running_loop().time() == pytest.approx(10.0)


async def test_a_server_that_says_nothing_is_named_too():
    class Silent(FakeApi):
        async def server_version(self):
            await asyncio.sleep(1000)

    with pytest.raises(ManagerError, match="could not be used within 10 s: no answer"):
        await check_server(Silent(), timeout_seconds=10)


@pytest.mark.parametrize("error", [refusal(Unauthorized, 401), refusal(Forbidden, 403)], ids=repr)
async def test_refused_credentials_are_told_at_once(error):
    with pytest.raises(ManagerError, match=f"{SERVER} refuses these credentials: {error.status_code}"):
        await check_server(FakeApi(error), timeout_seconds=10)
    assert asyncio.get_running_loop().time() == 0.0


async def test_one_page_of_one_object_is_asked_for_of_each_kind():
    api = FakeApi()
    await check_access(api, [Pod, Secret], namespace="ns", timeout_seconds=10)
    assert api.listed == [(Pod, "ns", 1), (Secret, "ns", 1)]


@pytest.mark.parametrize(("namespace", "where"), [(None, "in all namespaces"), ("ns", "in the namespace ns")])
async def test_a_kind_that_may_not_be_listed_is_named(namespace, where):
    """Pain 9: missing permissions must not look like an empty cluster."""
    api = FakeApi(refused={Secret: refusal(Forbidden, 403)})
    with pytest.raises(ManagerError, match=rf"secrets\.v1 cannot be listed {where} at {SERVER}: 403"):
        await check_access(api, [Pod, Secret], namespace=namespace, timeout_seconds=10)


@pytest.mark.parametrize("error", [ConnectionFailed("gone"), refusal(ServerError, 500)], ids=repr)
async def test_a_kind_of_which_nothing_can_be_told_now_is_left_to_the_first_list(error):
    await check_access(FakeApi(refused={Pod: error}), [Pod], namespace=None, timeout_seconds=10)
    assert asyncio.get_running_loop().time() == 0.0


async def test_a_kind_that_is_not_served_is_named_at_once_and_raised_when_it_does_not_come(caplog):
    """Not after the two minutes that the first list may take (C11)."""
    api = FakeApi(refused={Pod: refusal(NotFound, 404)})
    with pytest.raises(
        ManagerError, match=rf"{SERVER} does not serve pods\.v1: is the CustomResourceDefinition missing"
    ):
        await check_access(api, [Pod, Secret], namespace=None, timeout_seconds=10)
    assert "does not serve pods.v1: " in caplog.messages[0]
    assert asyncio.get_running_loop().time() == pytest.approx(10.0)


async def test_a_kind_whose_definition_is_on_its_way_is_waited_for(caplog):
    api = FakeApi(refused={Pod: refusal(NotFound, 404)})
    task = asyncio.create_task(check_access(api, [Pod, Secret], namespace=None, timeout_seconds=10))
    await asyncio.sleep(3)
    assert (len(caplog.messages), task.done()) == (1, False)
    api.refused.clear()
    await task
    assert asyncio.get_running_loop().time() < 4


async def test_all_kinds_that_may_not_be_listed_are_named_at_once():
    api = FakeApi(refused={Secret: refusal(Forbidden, 403), Pod: refusal(Forbidden, 403)})
    with pytest.raises(ManagerFaults) as caught:
        await check_access(api, [Pod, Secret], namespace=None, timeout_seconds=10)
    assert [str(fault).partition(" ")[0] for fault in caught.value.faults] == ["pods.v1", "secrets.v1"]
