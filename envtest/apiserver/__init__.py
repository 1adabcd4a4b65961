"""An embedded Kubernetes API server: an independent program that knows nothing of the rest of the package.

    async with ApiServer() as server:
        server.write_kubeconfig(Path("kubeconfig"))     # an unmodified kubectl works with it

Rooms: `storage` (one counter, memory and SQLite), `watchcache` (history), `operations` (verbs), `objects` (metadata rules), `patches`, `strategic`,
`managedfields` (patches and apply), `schemas`, `pruning`, `validation`, `crds` (custom kinds), `garbage`, `housekeeping` (controllers),
`listing`, `queries`, `selectors`, `watching`, `tables`, `rendering`, `discovery`, `openapi`, `routing`, `handlers`, `server` (HTTP).

What is NOT simulated:

- CEL rules (`x-kubernetes-validations`) are accepted and not evaluated; conversion between versions changes apiVersion only, webhooks of any
  kind are not called; admission policies do not exist. `metadata.name` restrictions in a CRD's schema are not checked.
- Authorization: whoever has the token may do everything; no RBAC, TokenReview, SubjectAccessReview or impersonation.
- Built-in kinds are stored with few defaults and few checks and are never pruned; their unknown fields are not reported.
  Pods are deleted at once, without a grace period; nothing runs, schedules or makes ready. There are no logs, exec, eviction, binding, or tokens.
- events.k8s.io/v1, RBAC kinds and all kinds that `kinds.BUILT_IN` does not list. Protobuf bodies, aggregated discovery, priority and fairness,
  audit, TLS. Patterns run in Python's `re`, not RE2.
- A namespace's conditions while it is emptied; events of the garbage collector.
- Watches that are older than the last start expire (410): history is kept in memory only, `Settings.history_max` changes a resource.
"""

from windlass.envtest.apiserver.errors import ServerError
from windlass.envtest.apiserver.server import ApiServer, Settings
from windlass.envtest.apiserver.watching import WatchTimes

__all__ = ("ApiServer", "ServerError", "Settings", "WatchTimes")
