"""What an InferenceService's status says in both modes: conditions and the state of the model. Pure."""

from windlass.envtest.workloads.kserve.memory import Revision
from windlass.envtest.workloads.objects import Json, condition

__all__ = ("conditions_of", "model_status")


def conditions_of(found: Json, states: dict[str, tuple[str, str]], now: str) -> list[Json]:
    """The conditions by type, each a status and a reason; Ready is what the others together say."""
    every = [status for status, _ in states.values()]
    ready = "False" if "False" in every else "Unknown" if "Unknown" in every else "True"
    reason = next((reason for status, reason in states.values() if status == ready and reason), "")
    made = []
    for kind, (status, why) in {**states, "Ready": (ready, reason)}.items():
        before = condition(found, kind) or {}
        turned = before.get("lastTransitionTime") if before.get("status") == status else None
        one = {"type": kind, "status": status, "lastTransitionTime": turned or now}
        made.append(one | ({"reason": why} if why else {}))
    return made


def model_status(revision: Revision, *, ready: bool, active: str) -> Json:
    """The `modelStatus` while this revision is the target."""
    fails = revision.behaviour.fails
    if fails in ("load", "spec"):
        transition, reason = (
            ("BlockedByFailedLoad", "ModelLoadFailed") if fails == "load" else ("InvalidSpec", "InvalidPredictorSpec")
        )
        return {
            "transitionStatus": transition,
            "states": {"activeModelState": active, "targetModelState": "FailedToLoad"},
            "lastFailureInfo": {
                "reason": reason,
                "message": f"{revision.name}: as scripted",
                "modelRevisionName": revision.name,
                "exitCode": 1,
            },
            "copies": {"failedCopies": 1},
        }
    if ready:
        return {
            "transitionStatus": "UpToDate",
            "states": {"activeModelState": "Loaded", "targetModelState": "Loaded"},
            "copies": {"failedCopies": 0, "totalCopies": 1},
        }
    return {
        "transitionStatus": "InProgress",
        "states": {"activeModelState": active, "targetModelState": "Loading"},
        "copies": {"failedCopies": 0},
    }
