"""A stand-in for Kueue, for testing whatever makes jobs that wait for quota.

`frameworks` knows the kinds of jobs, `quota` says who is admitted, `pairing` what follows for a job and its Workload.
"""

from windlass.envtest.workloads.kueue.controller import (
    ClusterQueue,
    Kueue,
    LocalQueue,
    ResourceFlavor,
    Workload,
    cluster_queue,
    kueue_definitions,
    local_queue,
)

__all__ = (
    "ClusterQueue",
    "Kueue",
    "LocalQueue",
    "ResourceFlavor",
    "Workload",
    "cluster_queue",
    "kueue_definitions",
    "local_queue",
)
