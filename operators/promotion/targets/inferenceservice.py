"""KServe's InferenceService, read as the server has it now and written only as it was read.

Which back-end applies is what `status.deploymentMode` says, never what the spec or an annotation does: KServe may have
decided otherwise. A write carries the uid and resource version that were read, so nothing that somebody did meanwhile
is overwritten (A15).
"""

from typing import Final

from windlass.controller.context import Context
from windlass.controller.upserts import merge_patch
from windlass.informers.errors import BadRequest, Conflict, Forbidden, Invalid, NotFound
from windlass.informers.keys import Key
from windlass.informers.requests import PatchType
from windlass.informers.resources import Resource
from windlass.operators.promotion.targets.contract import TARGET_NOT_FOUND, Fault, Json, Sight, Written, plan_of
from windlass.operators.promotion.targets.knative import KNATIVE
from windlass.operators.promotion.targets.mode import Mode, sight_of
from windlass.operators.promotion.targets.predictor import at
from windlass.operators.promotion.targets.standard import STANDARD
from windlass.operators.promotion.types import Promotion

__all__ = ("INFERENCE_SERVICE", "InferenceServices")

INFERENCE_SERVICE: Final = Resource("serving.kserve.io", "v1beta1", "InferenceService", "inferenceservices")

_MODES: Final[dict[str, Mode]] = {
    "Knative": KNATIVE,
    "Serverless": KNATIVE,
    "Standard": STANDARD,
    "RawDeployment": STANDARD,
}


class InferenceServices:
    """The InferenceServices that a run of the reconciler can reach."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx

    async def look(self, promotion: Promotion) -> Sight | Fault:
        """What is there now."""
        key = _key(promotion)
        try:
            found: Json = (await self._ctx.api.get(INFERENCE_SERVICE, key)).to_dict()
        except NotFound:
            return Fault(TARGET_NOT_FOUND, f"there is no InferenceService {key}", retryable=True)
        mode = at(found, "status", "deploymentMode")
        if not mode:
            return Fault("DeploymentModeUnknown", f"InferenceService {key} has no status.deploymentMode yet", True)
        if mode not in _MODES:
            known = ", ".join(_MODES)
            return Fault("UnsupportedDeploymentMode", f"status.deploymentMode: expected one of {known}, found {mode}")
        if not isinstance(at(found, "spec", "predictor"), dict):
            return Fault("UnsupportedPredictor", f"InferenceService {key} has no spec.predictor")
        return sight_of(_MODES[mode], found, plan_of(promotion))

    async def write(self, promotion: Promotion, sight: Sight) -> Written | Fault | None:
        """One patch of the fields that the operation changes."""
        operation, found = promotion.status.operation, sight.found
        assert operation is not None  # what is performed is on record
        spec: Json = found["spec"]
        mode = _MODES[str(at(found, "status", "deploymentMode"))]
        patch = merge_patch(spec, mode.changed(spec, plan_of(promotion), operation))
        metadata = {"uid": found["metadata"]["uid"], "resourceVersion": found["metadata"]["resourceVersion"]}
        try:
            written = await self._ctx.api.patch(
                INFERENCE_SERVICE,
                _key(promotion),
                {"metadata": metadata, "spec": patch},
                type=PatchType.MERGE,
                field_manager=self._ctx.services.field_manager,
            )
        except (Conflict, NotFound):
            return None  # it changed since it was read: what that means is decided on the next look
        except (BadRequest, Forbidden, Invalid) as error:
            return Fault("WriteRefused", f"{operation.name} was refused: {error}")
        return Written(str(written.generation))


def _key(promotion: Promotion) -> Key:
    target = promotion.spec.target.inference_service
    return Key(promotion.metadata.namespace, "" if target is None else target.name)
