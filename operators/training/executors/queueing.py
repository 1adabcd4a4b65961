"""The labels by which Kueue admits a job stand on the job's object and never on its Pods, which it would count again.

Pure. Whether a queue exists, and when it admits, is Kueue's business: it suspends the object and lets it go on.
"""

from collections.abc import Mapping
from typing import Final

import attrs

from windlass.operators.training.types import Workload

__all__ = ("PREFIX", "queue_labels", "without_queue")

PREFIX: Final = "kueue.x-k8s.io/"


def queue_labels(workload: Workload) -> dict[str, str]:
    """The labels of the workload that are for Kueue."""
    return _chosen(workload.labels, queueing=True)


def without_queue(workload: Workload) -> Workload:
    """The workload as its Pods should see it."""
    return attrs.evolve(workload, labels=_chosen(workload.labels, queueing=False))


def _chosen(labels: Mapping[str, str], *, queueing: bool) -> dict[str, str]:
    return {name: value for name, value in labels.items() if name.startswith(PREFIX) is queueing}
