"""What KServe makes of an InferenceService in Knative mode: revisions, and traffic between two of them. Pure.

A changed template is a new revision; `canaryTrafficPercent` is no part of the template. It is ignored until a revision
was rolled out, and a revision is rolled out once it is the latest ready one and everything goes to it.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import attrs

from windlass.envtest.workloads.kserve.behaviour import Behaviour, behaviour_of, release_text
from windlass.envtest.workloads.kserve.memory import Memory, Revision
from windlass.envtest.workloads.kserve.statuses import conditions_of, model_status
from windlass.envtest.workloads.objects import Json, template_hash, written_time

__all__ = ("knative_step",)


def knative_step(
    found: Json, memory: Memory, script: Mapping[str, Behaviour], *, now: datetime
) -> tuple[Json, Memory, float | None]:
    """The status, the memory, and in how many seconds something changes by itself."""
    memory = _with_revision(found, memory, script, now)
    created = memory.revisions[-1] if memory.revisions else None
    target = memory.refused or created
    assert target is not None  # what was asked for is one of them
    ready = next((one for one in reversed(memory.revisions) if one.is_ready(now)), None)
    percent = found["spec"]["predictor"].get("canaryTrafficPercent") if memory.rolled_out else None
    traffic = [] if ready is None else _traffic(ready, memory, percent)
    if ready is not None and percent in (None, 100) and ready is created and memory.rolled_out != ready.name:
        memory = attrs.evolve(memory, rolled_out=ready.name, previous=memory.rolled_out)
    heard = [one.name for one in memory.revisions if one.behaviour.fails != "silent"]
    component: dict[str, Any] = {
        "latestCreatedRevision": heard[-1] if heard else None,
        "latestReadyRevision": None if ready is None else ready.name,
        "latestRolledoutRevision": memory.rolled_out or None,
        "previousRolledoutRevision": memory.previous or None,
        "traffic": traffic or None,
    }
    state, why = _state(target, now)
    active = "Loaded" if ready is not None else ""
    name = found["metadata"]["name"]
    status = {
        "deploymentMode": "Knative",
        "url": f"http://{name}.{found['metadata']['namespace']}.example.com",
        "components": {"predictor": {key: value for key, value in component.items() if value is not None}},
        "conditions": conditions_of(
            found,
            {
                "PredictorConfigurationReady": (state, why),
                "PredictorReady": (state, why),
                "PredictorRouteReady": ("True" if ready is not None else "Unknown", ""),
                "LatestDeploymentReady": (state, why),
                "IngressReady": ("True" if ready is not None else "Unknown", ""),
            },
            written_time(now),
        ),
        "modelStatus": model_status(target, ready=target.is_ready(now), active=active),
    }
    waits = target.behaviour.comes_up and target.left(now) > 0
    return status, memory, target.left(now) if waits else None


def _state(target: Revision, now: datetime) -> tuple[str, str]:
    """The status of the condition that the latest revision is ready, and its reason."""
    behaviour = target.behaviour
    if behaviour.fails in ("load", "spec", "unready") or (behaviour.breaks and target.is_ready(now)):
        return "False", "RevisionFailed"
    return ("True", "") if target.is_ready(now) else ("Unknown", "Deploying")


def _with_revision(found: Json, memory: Memory, script: Mapping[str, Behaviour], now: datetime) -> Memory:
    predictor = found["spec"]["predictor"]
    template = template_hash({name: value for name, value in predictor.items() if name != "canaryTrafficPercent"})
    if memory.revisions and memory.revisions[-1].template == template:
        return attrs.evolve(memory, refused=None)
    release, number = release_text(predictor), len(memory.revisions) + 1
    name = f"{found['metadata']['name']}-predictor-{number:05d}"
    made = Revision(name, template, release, now, behaviour_of(release, script))
    if made.behaviour.fails == "spec":
        return attrs.evolve(memory, refused=made)
    return attrs.evolve(memory, revisions=(*memory.revisions, made), refused=None)


def _traffic(ready: Revision, memory: Memory, percent: int | None) -> list[Json]:
    if percent is None:
        return [{"latestRevision": True, "revisionName": ready.name, "percent": 100}]
    leak = min(ready.behaviour.leak, percent)
    traffic: list[Json] = [
        {"latestRevision": True, "revisionName": ready.name, "percent": percent - leak},
        {"revisionName": memory.rolled_out, "latestRevision": False, "percent": 100 - percent, "tag": "prev"},
    ]
    if leak:
        traffic.append({"revisionName": memory.previous or memory.rolled_out, "percent": leak})
    return traffic
