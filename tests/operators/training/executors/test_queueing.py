"""Labels for Kueue go to the job and not to its Pods."""

import attrs
from attempts import WORKLOAD

from windlass.operators.training.executors.queueing import queue_labels, without_queue

MIXED = attrs.evolve(WORKLOAD, labels={"kueue.x-k8s.io/queue-name": "gpus", "team": "vision"})


def test_each_label_goes_to_one_of_them():
    assert queue_labels(MIXED) == {"kueue.x-k8s.io/queue-name": "gpus"}
    assert without_queue(MIXED) == attrs.evolve(WORKLOAD, labels={"team": "vision"})
