"""What KServe makes of an InferenceService in Standard mode: a Deployment a predictor, and weights between them. Pure.

A canary gets its share once it is ready. One that becomes the stable predictor, by its name, is not started anew. What
KServe's admission would refuse is an InvalidSpec here, for there is no webhook.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import attrs

from windlass.envtest.workloads.kserve.behaviour import Behaviour, release_text
from windlass.envtest.workloads.kserve.memory import Memory, Revision
from windlass.envtest.workloads.kserve.statuses import conditions_of, model_status
from windlass.envtest.workloads.objects import Json, at, template_hash, written_time

__all__ = ("standard_step",)

_ANNOTATION = "serving.kserve.io/deploymentMode"
_FORBIDDEN = ("maxReplicas", "scaleTarget", "scaleMetric", "autoScaling", "workerSpec")


def standard_step(
    found: Json, memory: Memory, script: Mapping[str, Behaviour], *, now: datetime
) -> tuple[Json, Memory, float | None]:
    """The status, the memory, and in how many seconds something changes by itself."""
    entries = found["spec"].get("canary") or ()
    predictors = (found["spec"]["predictor"], *(entry["predictor"] for entry in entries))
    every = tuple(_deployment(found, predictor, memory, now) for predictor in predictors)
    memory = attrs.evolve(memory, revisions=every).scripted(script)
    stable, *others = memory.revisions
    canaries = list(zip(entries, others, strict=True))
    ready = stable.is_ready(now) and not stable.behaviour.breaks
    memory = attrs.evolve(memory, loaded=memory.loaded or stable.is_ready(now))
    refused = _refused(found)
    states = {
        "PredictorReady": ("True", "") if ready else _not_ready(stable),
        "IngressReady": ("True" if memory.loaded else "Unknown", ""),
    }
    statuses = [_canary_status(entry, deployment, now) for entry, deployment in canaries]
    if canaries:
        worst = [deployment for _, deployment in canaries if not _serves(deployment, now)]
        states["CanaryPredictorReady"] = ("True", "") if not worst else _not_ready(worst[0])
    model = model_status(stable, ready=stable.is_ready(now), active="Loaded" if memory.loaded else "")
    if refused:
        model |= {
            "transitionStatus": "InvalidSpec",
            "lastFailureInfo": {"reason": "InvalidPredictorSpec", "message": refused},
        }
    status: dict[str, Any] = {
        "deploymentMode": "Standard",
        "url": f"http://{found['metadata']['name']}.{found['metadata']['namespace']}.example.com",
        "components": {"predictor": {"latestCreatedRevision": stable.name}},
        "conditions": conditions_of(found, states, written_time(now)),
        "modelStatus": model,
        "canaryStatuses": statuses or None,
    }
    left = [one.left(now) for one in memory.revisions if one.behaviour.comes_up and one.left(now) > 0]
    return status, memory, min(left, default=None)


def _deployment(found: Json, predictor: Json, memory: Memory, now: datetime) -> Revision:
    name = predictor.get("name")
    service = found["metadata"]["name"]
    called = f"{service}-{name}-predictor" if name else f"{service}-predictor"
    template = template_hash({"model": predictor.get("model"), "containers": predictor.get("containers")})
    known = memory.find(called)
    if known is not None and known.template == template:
        return known
    return Revision(called, template, release_text(predictor), now)


def _serves(deployment: Revision, now: datetime) -> bool:
    return deployment.is_ready(now) and not deployment.behaviour.breaks


def _not_ready(deployment: Revision) -> tuple[str, str]:
    failed = deployment.behaviour.fails in ("load", "unready") or deployment.behaviour.breaks
    return ("False", "MinimumReplicasUnavailable") if failed else ("Unknown", "Deploying")


def _canary_status(entry: Json, deployment: Revision, now: datetime) -> Json:
    ready = deployment.is_ready(now)
    share = int(entry["trafficPercent"]) if ready else 0
    return {
        "name": entry["predictor"]["name"],
        "ready": ready and not deployment.behaviour.breaks,
        "trafficPercent": max(0, share - deployment.behaviour.leak),
        "modelStatus": model_status(deployment, ready=ready, active=""),
    }


def _refused(found: Json) -> str:
    canaries = found["spec"].get("canary") or ()
    if not canaries:
        return ""
    if at(found, "metadata", "annotations", _ANNOTATION) not in ("Standard", "RawDeployment"):
        return f"canary needs the annotation {_ANNOTATION}: Standard"
    if not isinstance(at(found, "spec", "predictor", "model"), dict):
        return "canary needs a stable predictor with model"
    forbidden = sorted({field for one in canaries for field in _FORBIDDEN if field in one["predictor"]})
    if forbidden:
        return f"canary.predictor must not have {', '.join(forbidden)}"
    total = sum(int(one["trafficPercent"]) for one in canaries)
    return f"canary weights sum to {total}" if total > 100 else ""
