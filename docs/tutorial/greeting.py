"""A Greeting in the cluster becomes a ConfigMap that greets."""

import attrs

from windlass.controller import Context, Manager, Request
from windlass.informers import CustomResource
from windlass.informers.builtins import ConfigMap
from windlass.manifests import kind


@attrs.frozen
class GreetingSpec:
    name: str


@attrs.frozen
class GreetingStatus:
    message: str | None = None


@kind("example.com/v1", short_names=("gr",))
@attrs.frozen
class Greeting(CustomResource):
    spec: GreetingSpec
    status: GreetingStatus = GreetingStatus()


async def reconcile(ctx: Context, request: Request) -> None:
    greeting = await ctx.get(Greeting, request.key)
    if greeting is None:
        return  # deleted; its ConfigMap goes with it
    message = f"Hello, {greeting.spec.name}!"
    metadata = {"name": request.key.name, "namespace": request.key.namespace}
    await ctx.apply(
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"message": message}}, owner=greeting
    )
    await ctx.status(greeting, message=message)


def setup(manager: Manager) -> None:
    manager.register(Greeting)
    manager.controller(reconcile, for_=Greeting, owns=[ConfigMap], workers=8)


if __name__ == "__main__":
    manager = Manager()
    setup(manager)
    manager.run()
