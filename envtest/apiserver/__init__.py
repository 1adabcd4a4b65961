"""An embedded Kubernetes API server: an independent program that knows nothing of the rest of the package.

    async with ApiServer() as server:
        server.write_kubeconfig(Path("kubeconfig"))     # an unmodified kubectl works with it

Rooms: `storage` (one counter, memory and SQLite), `watchcache` (history), `operations` (verbs), `objects` (metadata
rules), `patches`, `strategic`, `managedfields` (patches and apply), `schemas`, `pruning`, `validation`, `crds`
(custom kinds), `garbage`, `housekeeping` (controllers), `listing`, `queries`, `selectors`, `watching`, `tables`,
`rendering`, `discovery`, `openapi`, `routing`, `handlers`, `server` (HTTP). What extends the server: `webhooks`,
`registrations`, `admission`, `admissionreview`, `conversion` (what is asked and what an answer does), `decisions`,
`calling` (how it is asked), `rules`, `expressions`, `celtypes`, `celfunctions` (CEL). Before all stands the `gate`:
`authentication` (who), `authorization` (may they, by `rbac`'s rules), `escalation` (what a write gives away); `reviews`
ask the same.

What is NOT simulated:

What follows is kept in docs/reference/embedded-server.md too.

- CEL rules (`x-kubernetes-validations`) are evaluated with the extra `cel` alone, and their costs are not limited.
  Admission policies are not called, webhooks not for reviews. A CRD schema's rules for `metadata.name` are not checked.
- Built-in kinds have few checks and are never pruned; their unknown fields are not reported. Pods are deleted at once,
  without a grace period. Nothing runs, schedules or becomes ready. There are no logs, exec, eviction or binding. Their
  merge keys are one table by field name.
- events.k8s.io/v1 and whatever else neither `kinds.BUILT_IN` nor `accesskinds` lists; the roles of the system's own
  components. Priority and fairness, audit, TLS: requests without a token are the administrator's, since kubectl sends
  its token over TLS only (`Settings.without_token`). Patterns run in Python's `re`, not RE2. Protobuf is read for the
  kinds that `kubectl create` sends so (`protobuf`) and never written.
- Events of the garbage collector.
- Watches from before the last start expire (410): history is in memory, `Settings.history_max` changes a resource.
"""

from windlass.envtest.apiserver.errors import ServerError
from windlass.envtest.apiserver.identity import User
from windlass.envtest.apiserver.server import ApiServer, Settings
from windlass.envtest.apiserver.watching import WatchTimes

__all__ = ("ApiServer", "ServerError", "Settings", "User", "WatchTimes")
