"""A Greeting in the cluster becomes a ConfigMap that greets."""

import attrs

from windlass.controller import Context, Manager, Request
from windlass.informers import ConfigMap, CustomResource
from windlass.manifests import kind


@attrs.frozen
class GreetingSpec:
    name: str


@kind("example.com/v1", short_names=("gr",))
@attrs.frozen
class Greeting(CustomResource):
    spec: GreetingSpec


async def reconcile(ctx: Context, request: Request) -> None:
    greeting = await ctx.get(Greeting, request.key)
    if greeting is not None:  # a deleted one takes its ConfigMap with it
        data = {"message": f"Hello, {greeting.spec.name}!"}
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": request.key.name}, "data": data}
        await ctx.apply(body, owner=greeting)


def setup(manager: Manager) -> None:
    manager.register(Greeting)
    manager.controller(reconcile, for_=Greeting, owns=[ConfigMap])


if __name__ == "__main__":
    manager = Manager()
    setup(manager)
    manager.run()
