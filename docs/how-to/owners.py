"""A Site owns one ConfigMap a page; pages that the Site does not name any more go: python owners.py."""

import attrs

from windlass.controller import Context, Manager, Request
from windlass.informers import ConfigMap, CustomResource
from windlass.manifests import kind, needs


@attrs.frozen
class SiteSpec:
    pages: tuple[str, ...] = ()


@attrs.frozen
class SiteStatus:
    published: int = 0


@kind("howto.windlass.dev/v1")
@attrs.frozen
class Site(CustomResource):
    spec: SiteSpec = SiteSpec()
    status: SiteStatus = SiteStatus()


@needs(Site, "patch", subresource="status")
@needs(ConfigMap, "create", "patch", "delete")
async def reconcile(ctx: Context, request: Request) -> None:
    site = await ctx.get(Site, request.key)
    if site is None or site.metadata.deletion_timestamp is not None:
        return  # what it owned is the garbage collector's
    wanted = {f"{site.metadata.name}-{page}": page for page in site.spec.pages}
    for name, page in wanted.items():
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"title": page}}
        await ctx.apply(body, owner=site)
    for page in await ctx.list(ConfigMap, namespace=request.key.namespace, owner=site):
        if page.name not in wanted:
            await ctx.delete(ConfigMap, page.key, uid=page.uid)
    await ctx.status(site, published=len(wanted))


def setup(manager: Manager) -> None:
    manager.register(Site)
    manager.controller(reconcile, for_=Site, owns=[ConfigMap])


if __name__ == "__main__":
    manager = Manager()
    setup(manager)
    manager.run()
