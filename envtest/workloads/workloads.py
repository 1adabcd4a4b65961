"""What runs workloads, under one start and one stop: a Manager with controllers like any other, on any API server."""

from windlass.envtest.workloads.nodes import Heartbeat, NodeSpec, add_nodes
from windlass.envtest.workloads.objects import ReplicaSet, written_time
from windlass.envtest.workloads.player import PodPlayer
from windlass.envtest.workloads.reconcilers import (
    JobReconciler,
    Scheduler,
    reconcile_deployment,
    reconcile_replica_set,
    reconcile_stateful_set,
)
from windlass.envtest.workloads.stages import DEFAULT_STAGES, Stage
from windlass.envtest.workloads.standin import StandIn
from windlass.informers import Api, Cluster, Deployment, Job, Node, Pod, StatefulSet

__all__ = ("Workloads",)

_NODES = (NodeSpec("node-0"),)


class Workloads(StandIn):
    """Nodes, a player of stages in place of kubelets, and, with `controllers`, all that a control plane would run.

    On the embedded server nothing else would make a Pod of a Job, so the controllers are on by default. On a real
    control plane, which has its own and a scheduler, they must be off. `job_retry_seconds` is the pause after a Job's
    first failed Pod; Kubernetes has 10 s. Used as `async with Workloads(cluster): …`; it runs once.
    """

    def __init__(
        self,
        cluster: Cluster,
        *,
        nodes: tuple[NodeSpec, ...] = _NODES,
        stages: tuple[Stage, ...] = DEFAULT_STAGES,
        controllers: bool = True,
        job_retry_seconds: float = 1.0,
    ) -> None:
        super().__init__(cluster, "windlass-workloads", kinds=[ReplicaSet])
        self._nodes = tuple(nodes)
        self.manager.controller(PodPlayer(tuple(stages)), for_=Pod, name="pod-stages")
        self.manager.add(Heartbeat(self.manager, self._nodes))
        if controllers:
            self._add_controllers(job_retry_seconds)

    def __repr__(self) -> str:
        return f"<Workloads {self._cluster.server} nodes={len(self._nodes)} {self.manager!r}>"

    async def _prepare(self, api: Api) -> None:
        """Add the Nodes, or bring them up to date."""
        await add_nodes(api, self._nodes, written_time(self.manager.settings.clock()))

    def _add_controllers(self, job_retry_seconds: float) -> None:
        add = self.manager.controller
        add(Scheduler(), for_=Pod, reads=[Node], name="scheduler", workers=1)
        add(JobReconciler(job_retry_seconds), for_=Job, owns=[Pod])
        add(reconcile_replica_set, for_=ReplicaSet, owns=[Pod])
        add(reconcile_deployment, for_=Deployment, owns=[ReplicaSet])
        add(reconcile_stateful_set, for_=StatefulSet, owns=[Pod])
