from functools import partial

from accounts import Account, AccountSpec, reconcile, setup

from windlass.envtest.kit import Calls, Trial, assert_idempotent, eventually, for_every_crash_point
from windlass.informers import Key, ObjectMeta

ADA = {"apiVersion": "example.com/v1", "kind": "Account", "metadata": {"name": "ada"}, "spec": {"owner": "Ada"}}


async def number_of_ada(manager, namespace):
    found = await manager.api.get(Account, Key(namespace, "ada"))
    return found.as_(Account).status.number


async def test_an_account_gets_its_number(manager, namespace, bank):
    setup(manager, bank)
    async with manager:
        await manager.api.create(Account, ADA, namespace=namespace)
        assert await eventually(lambda: number_of_ada(manager, namespace)) == "1001"


async def test_a_status_that_somebody_else_wrote_first_is_written_again(manager, namespace, bank, faults):
    conflict = faults.conflict(Calls("patch", Account, subresource="status"))
    setup(manager, bank)
    async with manager:
        await manager.api.create(Account, ADA, namespace=namespace)
        assert await eventually(lambda: number_of_ada(manager, namespace))
    assert conflict.spent


async def test_the_reconcile_function_does_its_work_once(bank):
    await assert_idempotent(partial(reconcile, bank), Account(AccountSpec("Ada"), metadata=ObjectMeta("ada")))


async def test_it_does_nothing_when_there_is_nothing_to_do(cluster, bank):
    await assert_idempotent(Trial(partial(setup, bank=bank), ADA, cluster, effects=bank))


async def test_it_survives_every_crash(cluster, bank):
    report = await for_every_crash_point(Trial(partial(setup, bank=bank), ADA, cluster, effects=bank))
    assert report.end.effects == {"open Ada": 1}
