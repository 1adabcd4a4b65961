"""Small operators for the tests of the test kit: some without a fault, each of the others with one."""

import base64
import functools
import secrets

from windlass.controller import DEFAULT, Context, Manager, Request, Result, with_finalizer
from windlass.controller.predicates import function
from windlass.envtest.kit import Effects
from windlass.informers import ConfigMap, Secret

__all__ = ("ORDER", "Shop", "operator")

ORDER = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "order"}, "data": {"item": "tea"}}
FINALIZER = "tests.windlass.dev/shop"


class Shop(Effects):
    """Outside of the cluster: sells, once for each reference, and takes back."""

    def __init__(self):
        super().__init__()
        self.sold = {}
        self.asked = 0

    def begin(self):
        super().begin()
        self.sold = {}
        self.asked = 0

    def buy(self, item, reference):
        if reference not in self.sold:
            self.sold[reference] = f"receipt {len(self.sold) + 1}"
            self.record("buy", item)
        return self.sold[reference]

    def give_back(self, reference):
        if self.sold.pop(reference, None) is not None:
            self.record("give back")


_IS_ORDER = function(lambda found: found.name == "order")  # and not what a real server puts into each namespace


def operator(reconcile, *, shop=None, owns=(Secret,)):
    """A function that adds an operator to a manager."""

    def setup(manager: Manager) -> None:
        run = reconcile if shop is None else functools.partial(reconcile, shop)
        manager.controller(run, for_=ConfigMap, owns=owns, predicates=(DEFAULT, _IS_ORDER))

    return setup


def receipt(order, text):
    metadata = {"name": order.name, "namespace": order.namespace}
    # Not `stringData`: an apply of that is never a no-op on a real server, a second after the one before.
    data = {"receipt": base64.b64encode(text.encode()).decode()}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": data}


async def buys_once(shop: Shop, ctx: Context, request: Request) -> None:
    """Without a fault: the reference is the same whenever it is asked for."""
    order = await ctx.get(ConfigMap, request.key)
    if order is not None:
        await ctx.apply(receipt(order, shop.buy("tea", order.uid)), owner=order)


async def buys_then_records(shop: Shop, ctx: Context, request: Request) -> None:
    """Killed between the two, it buys again."""
    order = await ctx.get(ConfigMap, request.key)
    if order is not None and not await ctx.list(Secret, owner=order):
        await ctx.apply(receipt(order, shop.buy("tea", secrets.token_hex(4))), owner=order)


async def marks_then_creates(ctx: Context, request: Request) -> None:
    """Killed between the two, it believes that all is done: the mark came too early."""
    order = await ctx.get(ConfigMap, request.key)
    if order is not None and "done" not in order.labels:
        await ctx.api.patch(ConfigMap, request.key, {"metadata": {"labels": {"done": "yes"}}})
        await ctx.apply(receipt(order, "mine"), owner=order)


async def creates_under_fresh_names(ctx: Context, request: Request) -> None:
    """Killed before its answer arrives, it leaves one behind, which it does not find again."""
    order = await ctx.get(ConfigMap, request.key)
    if order is None or "child" in order.labels:
        return
    name = f"child-{secrets.token_hex(4)}"
    body = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "generateName": "child-"}}
    await ctx.create(body, owner=order)
    await ctx.api.patch(ConfigMap, request.key, {"metadata": {"labels": {"child": "yes"}}})


async def keeps_until_deleted(shop: Shop, ctx: Context, request: Request) -> Result | None:
    """Without a fault: what it has bought is given back before the order goes."""
    order = await ctx.get(ConfigMap, request.key)
    if order is None:
        return None

    async def keep() -> None:
        shop.buy("tea", order.uid)

    async def clean_up() -> None:
        shop.give_back(order.uid)

    return await with_finalizer(ctx, order, FINALIZER, reconcile=keep, clean_up=clean_up)


async def forgets_what_it_keeps(shop: Shop, ctx: Context, request: Request) -> Result | None:
    """The finalizer goes first: killed after that, it never gives back."""
    order = await ctx.get(ConfigMap, request.key)
    if order is None:
        return None
    if order.deletion is None:
        if not await ctx.add_finalizer(order, FINALIZER):
            shop.buy("tea", order.uid)
    else:
        await ctx.remove_finalizer(order, FINALIZER)
        shop.give_back(order.uid)
    return None


async def counts_its_runs(ctx: Context, request: Request) -> None:
    """Never at its end, though each run is short."""
    order = await ctx.get(ConfigMap, request.key)
    if order is not None:
        runs = int(order.annotations.get("runs", "0")) + 1
        await ctx.api.patch(ConfigMap, request.key, {"metadata": {"annotations": {"runs": str(runs)}}})


async def deletes_and_creates(ctx: Context, request: Request) -> None:
    """The end looks the same, but is made anew each time that it is woken."""
    order = await ctx.get(ConfigMap, request.key)
    if order is not None:
        await ctx.delete(Secret, request.key)
        await ctx.create(receipt(order, "mine"))


async def asks_again_and_again(shop: Shop, ctx: Context, request: Request) -> Result | None:
    """Without a fault: it asks until the goods have come, and goes on asking whether they are still there."""
    order = await ctx.get(ConfigMap, request.key)
    if order is None:
        return None
    shop.asked += 1
    if shop.asked >= 3:
        await ctx.apply(receipt(order, shop.buy("tea", order.uid)), owner=order)
    return Result.after(0.02)


async def counts_in_a_secret(ctx: Context, request: Request) -> None:
    """At rest after each run, and at another end each time."""
    order = await ctx.get(ConfigMap, request.key)
    if order is not None:
        found = await ctx.get(Secret, request.key)
        runs = 0 if found is None else int(found.labels.get("runs", "0"))
        body = receipt(order, "mine")
        body["metadata"]["labels"] = {"runs": str(runs + 1)}
        await ctx.apply(body)


async def buys_at_every_run(shop: Shop, ctx: Context, request: Request) -> None:
    """Writes nothing, and does something."""
    if await ctx.get(ConfigMap, request.key) is not None:
        shop.buy("tea", secrets.token_hex(4))
