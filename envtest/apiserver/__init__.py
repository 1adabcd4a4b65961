"""An embedded Kubernetes API server: an independent program that knows nothing of the rest of the package.

    async with ApiServer() as server:
        server.write_kubeconfig(Path("kubeconfig"))     # an unmodified kubectl works with it

The way of a request leads through the rooms in this order: `http` (path, body), `access` (who, and may they),
`extension` (webhooks), `verbs` (the decision, on `store`, by the rules of `schema`, `builtin` and `patch`), `views`
(how it is shown). `collector` does what controllers do behind a real one. What all rooms speak of lies beside them:
`values`, `errors`, `kinds`, `objects` (the rules of metadata), `selectors`, `queries`, `identity`, `decisions` (how a
synchronous decision waits for somebody's answer). `server` owns the store, the socket and the tasks.

What is not simulated is listed in docs/reference/embedded-server.md.
"""

from windlass.envtest.apiserver.errors import ServerError
from windlass.envtest.apiserver.identity import User
from windlass.envtest.apiserver.server import ApiServer, Settings
from windlass.envtest.apiserver.verbs.watching import WatchTimes

__all__ = ("ApiServer", "ServerError", "Settings", "User", "WatchTimes")
