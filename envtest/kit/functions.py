"""A reconcile function and one typed object make a trial; the server that it is tried on is there for that trial alone.

Nothing is asked but what the two say: the object's class is the kind, and the function is woken by its objects. Whoever
has a setup function, objects of several kinds, effects, or a cluster to try them on writes a `Trial`.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from windlass.controller.manager import Manager
from windlass.controller.request import Reconciler
from windlass.envtest.apiserver import ApiServer
from windlass.envtest.errors import TrialError
from windlass.envtest.kit.trial import Trial
from windlass.informers.api import Api
from windlass.informers.client import Client
from windlass.informers.cluster import Cluster
from windlass.informers.credentials import StaticHeader
from windlass.informers.typed import CustomResource
from windlass.manifests.install import install

__all__ = ("trial_of",)


@asynccontextmanager
async def trial_of(reconcile: Reconciler, obj: CustomResource | None) -> AsyncIterator[Trial]:
    """The trial, on a new embedded server that knows the object's kind; the server is gone afterwards.

    Raises TrialError for an object that is not of a class with `@kind`, and what `install` raises.
    """
    if not (isinstance(obj, CustomResource) and hasattr(type(obj), "__windlass_resource__")):
        raise TrialError(
            f"assert_idempotent: expected an object of a class with @kind beside a reconcile function, "
            f"found {type(obj).__name__}; a Trial takes any object"
        )
    kind = type(obj)

    def setup(manager: Manager) -> None:
        manager.register(kind)
        manager.controller(reconcile, for_=kind)

    async with ApiServer() as server:
        cluster = Cluster(server.url, StaticHeader(f"Bearer {server.token}"))
        async with Client(cluster) as client:
            await install(Api(client), [kind])
        yield Trial(setup, obj, cluster)
