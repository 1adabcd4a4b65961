"""An object that Kueue admits is made suspended, and is held for as long as it is suspended."""

import json

import attrs
import pytest
from attempts import RUN, spec
from rendered_jobs import FULL

from windlass.operators.training.executors.kubernetes_job import KUBERNETES_JOB
from windlass.operators.training.executors.patches import includes
from windlass.operators.training.executors.pytorchjob import PYTORCHJOB
from windlass.operators.training.executors.rayjob import RAYJOB
from windlass.operators.training.executors.trainjob import TRAINJOB

ALL = pytest.mark.parametrize("executor", [KUBERNETES_JOB, TRAINJOB, PYTORCHJOB, RAYJOB], ids=lambda one: one.name)


@ALL
def test_it_is_made_suspended_and_otherwise_as_ever(executor):
    """A6."""
    asked = spec(executor=executor.name, workload=attrs.evolve(FULL, env_from=()))
    plain, held = (
        json.loads(executor.render(asked, attrs.evolve(RUN, local_queue=queue)).manifest) for queue in ("", "team")
    )

    assert includes(held, executor.suspension(suspended=True))
    assert not includes(plain, executor.suspension(suspended=True))
    assert includes(held, plain)
