"""An Account in the cluster becomes an account at the bank."""

from functools import partial
from typing import Protocol
from uuid import uuid4

import attrs

from windlass.controller import Context, Manager, Request
from windlass.informers import CustomResource
from windlass.manifests import kind


class Bank(Protocol):
    async def open(self, owner: str, reference: str) -> str:
        """The number of the account with this reference: of a new one, or of the one that is there."""


@attrs.frozen
class AccountSpec:
    owner: str


@attrs.frozen
class AccountStatus:
    number: str = ""


@kind("example.com/v1")
@attrs.frozen
class Account(CustomResource):
    spec: AccountSpec
    status: AccountStatus = AccountStatus()


async def reconcile(bank: Bank, ctx: Context, request: Request) -> None:
    account = await ctx.get(Account, request.key)
    if account is None or account.status.number:
        return
    number = await bank.open(account.spec.owner, reference=uuid4().hex)
    await ctx.status(account, number=number)


def setup(manager: Manager, bank: Bank) -> None:
    manager.register(Account)
    manager.controller(partial(reconcile, bank), for_=Account)
