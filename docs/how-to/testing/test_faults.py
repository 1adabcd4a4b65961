import pytest
from accounts import Account, setup

from windlass.envtest.kit import Calls, eventually
from windlass.informers import Key
from windlass.informers.errors import ServerError

ADA = {"apiVersion": "example.com/v1", "kind": "Account", "metadata": {"name": "ada"}, "spec": {"owner": "Ada"}}
STATUS = Calls("patch", Account, subresource="status")


@pytest.fixture
def number(manager, namespace):
    async def number_of_ada():
        found = await manager.api.get(Account, Key(namespace, "ada"))
        return found.as_(Account).status.number

    return lambda: eventually(number_of_ada)


async def test_an_answer_that_is_lost_opens_no_second_account(manager, namespace, bank, faults, number):
    lost = faults.cut(STATUS)
    setup(manager, bank)
    async with manager:
        await manager.api.create(Account, ADA, namespace=namespace)
        await number()
        await eventually(lambda: lost.spent)
    assert bank.counts == {"open Ada": 1}


async def test_a_server_that_comes_and_goes_is_waited_for(manager, namespace, bank, faults, number):
    faults.refuse(Calls("list", Account))
    faults.cut(Calls("watch", Account), after_events=1)
    faults.fail(STATUS, status=500, times=3)
    setup(manager, bank)
    async with manager:
        await manager.api.create(Account, ADA, namespace=namespace)
        await number()
        await eventually(lambda: not faults.pending)
    assert bank.counts == {"open Ada": 1}


async def test_what_was_asked_is_on_record(manager, namespace, bank, faults, number):
    faults.fail_nth(2, Calls("create", Account), status=503)
    setup(manager, bank)
    async with manager:
        await manager.api.create(Account, ADA, namespace=namespace)
        with pytest.raises(ServerError):
            await manager.api.create(Account, {**ADA, "metadata": {"name": "bob"}}, namespace=namespace)
        await number()
    assert [passed.call.verb for passed in faults.passed if passed.call.writes] == ["create", "create", "patch"]
