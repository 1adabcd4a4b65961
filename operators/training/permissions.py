"""What the training operator asks of the API server: its own kind, and whatever the executors here make in a cluster.

An executor of a plugin that makes another kind brings a role of its own.
"""

from typing import Final

from windlass.informers.builtins import Job, Node, Pod
from windlass.informers.resources import Resource
from windlass.manifests.rbac import READ, Need
from windlass.operators.promotion.types import Promotion
from windlass.operators.training.executors.pytorchjob import PYTORCH_JOB
from windlass.operators.training.executors.rayjob import RAY_JOB
from windlass.operators.training.executors.trainjob import TRAIN_JOB
from windlass.operators.training.gate.katib import EXPERIMENT, TRIAL
from windlass.operators.training.hardware.claims import VERSIONS, claim_kind, slice_kind, template_kind
from windlass.operators.training.queues.kueue import VERSIONS as VERSIONS_OF_KUEUE
from windlass.operators.training.queues.kueue import workload_kind
from windlass.operators.training.types import TrainingJob

__all__ = ("CHILDREN", "HARDWARE_NEEDS", "KATIB_NEEDS", "NEEDS", "PROMOTING")

CHILDREN: Final[tuple[Resource, ...]] = (Job, TRAIN_JOB, PYTORCH_JOB, RAY_JOB)
"""The kinds of objects that do the work of an attempt."""

NEEDS: Final = (
    Need.on(TrainingJob, "patch", "delete"),
    Need.on(TrainingJob, "patch", subresource="status"),
    # Some clusters ask this of whoever says that an owner must not go before what it owns.
    Need.on(TrainingJob, "update", subresource="finalizers"),
    Need.on(Pod, *READ),
    *(Need.on(kind, *READ, "create", "patch", "delete") for kind in CHILDREN),
    Need.on(workload_kind(VERSIONS_OF_KUEUE[0]), *READ),
)

HARDWARE_NEEDS: Final = (
    Need.on(Node, *READ),
    Need.on(slice_kind(VERSIONS[0]), *READ),
    Need.on(claim_kind(VERSIONS[0]), *READ),
    Need.on(template_kind(VERSIONS[0]), "get", "create"),
)
"""What jobs that ask for hardware need beside that; only where the whole cluster is watched are there any."""

PROMOTING: Final = (Need.on(Promotion, *READ, "create", "patch"),)
"""What else where jobs may create Promotions."""

KATIB_NEEDS: Final = (Need.on(EXPERIMENT, "get", "list", "create"), Need.on(TRIAL, "list"))
"""What gates need beside that where checks may create Katib Experiments."""
