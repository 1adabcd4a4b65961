"""Makes Pods, Jobs, Deployments and StatefulSets run on an API server that has nothing to run them with."""

from windlass.envtest.workloads.nodes import NodeSpec, Taint
from windlass.envtest.workloads.stages import DEFAULT_STAGES, Stage, Then, When, read_stages
from windlass.envtest.workloads.workloads import Workloads

__all__ = ("DEFAULT_STAGES", "NodeSpec", "Stage", "Taint", "Then", "When", "Workloads", "read_stages")
