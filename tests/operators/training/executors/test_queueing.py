"""Labels for Kueue go to the job and not to its Pods."""

import attrs
from attempts import WORKLOAD
from rendered_jobs import rendered

from windlass.operators.training.executors.kubernetes_job import KUBERNETES_JOB
from windlass.operators.training.executors.queueing import queue_labels, without_queue

MIXED = attrs.evolve(WORKLOAD, labels={"kueue.x-k8s.io/queue-name": "gpus", "team": "vision"})


def test_each_label_goes_to_one_of_them():
    assert queue_labels(MIXED) == {"kueue.x-k8s.io/queue-name": "gpus"}
    assert without_queue(MIXED) == attrs.evolve(WORKLOAD, labels={"team": "vision"})


def test_a_plain_job_is_queued_like_those_of_others():
    manifest = rendered(KUBERNETES_JOB, workload=MIXED)

    assert manifest["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] == "gpus"
    assert "kueue.x-k8s.io/queue-name" not in manifest["spec"]["template"]["metadata"]["labels"]
    assert manifest["spec"]["template"]["metadata"]["labels"]["team"] == "vision"
