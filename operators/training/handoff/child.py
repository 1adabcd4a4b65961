"""The Promotion of a run is a function of the job's spec and of what is on record: its name, its release, its gate.

Its gate is the job's own verdict, so it is about this very model, and another training makes another Promotion (A14).
This module is pure; it does not know when a Promotion is created.
"""

import re
from typing import Any, Final, TypeAlias

import attrs

from windlass.informers.typed import ObjectMeta, unstructure
from windlass.operators.promotion import phases as promotion_phases
from windlass.operators.promotion.acceptance import fault_in
from windlass.operators.promotion.moves import current_phase
from windlass.operators.promotion.types import GateEvidence, ModelVersion, Promotion, PromotionSpec, Release
from windlass.operators.training.executors.contract import Fault
from windlass.operators.training.gate.evidence import digest_of
from windlass.operators.training.handoff.types import PromotionTemplate, ReleaseTemplate
from windlass.operators.training.types import TrainingJob, TrainingJobSpec
from windlass.statemachine.conditions import Conditions

__all__ = ("OPERATION", "Absent", "Seen", "Sighting", "fault_of", "promotion_name", "promotion_of", "sighting_of")

OPERATION: Final = "ai.windlass.dev/operation"
"""The annotation that says which recorded operation an object was created by (G2)."""

_NAME_LENGTH_MAX: Final = 63
_PLACE: Final = re.compile(r"\{([^{}]*)\}")
_PLACES: Final = ("model", "version", "sha256", "run")
_SOME_DIGEST: Final = "0" * 64


@attrs.frozen
class Absent:
    """There is no Promotion of the name."""


@attrs.frozen
class Seen:
    """The job's own Promotion. `outcome` is None while it goes on, else whether it came to a good end."""

    uid: str
    phase: str
    weight: int
    reason: str
    message: str
    outcome: bool | None = None


Sighting: TypeAlias = Absent | Seen | Fault


@attrs.frozen
class _Release:
    """What is to be promoted."""

    model: str
    version: int
    sha256: str
    run: str


def promotion_name(job: str, run: str) -> str:
    """The name of the run's Promotion: the job's, and enough of the run's id to tell it from other runs'."""
    ending = f"-{run[:10]}"
    # What is cut off may end where no name may.
    return job[: _NAME_LENGTH_MAX - len(ending)].rstrip("-.") + ending


def fault_of(spec: TrainingJobSpec) -> Fault | None:
    """Why no Promotion could ever be made of this; known before anything is trained."""
    template = spec.promotion
    if template is None:
        return None
    if spec.gate is None:
        return Fault("InvalidPromotion", "promotion: expected a gate, too, for only what passed one is promoted")
    endpoint = template.target.endpoint is not None
    if endpoint == (template.release is not None):
        expected = "no release: at an endpoint it is the published model" if endpoint else "a release"
        return Fault("InvalidPromotion", f"promotion.release: expected {expected}")
    unknown = _unknown_places(template.release)
    if unknown:
        known = ", ".join(f"{{{place}}}" for place in _PLACES)
        return Fault("InvalidPromotion", f"promotion.release: expected places out of {known}, found {unknown[0]}")
    gate = GateEvidence("Passed", _SOME_DIGEST, _SOME_DIGEST)
    fault = fault_in(_spec(template, _Release(spec.output.model, 1, _SOME_DIGEST, ""), gate), gate_required=True)
    return None if fault is None else Fault("InvalidPromotion", f"promotion: {fault.message}")


def promotion_of(job: TrainingJob) -> dict[str, Any]:
    """The Promotion to create, without its owner. Raises RuntimeError where something of it is not on record."""
    status, template = job.status, job.spec.promotion
    if template is None or status.promotion is None or status.model is None or status.gate is None:
        raise RuntimeError(f"{job.key} has no promotion, model or verdict on record")
    verdict = GateEvidence(
        "Passed" if status.gate.passed else "Failed", status.gate.model_sha256, digest_of(status.gate)
    )
    model, run = status.model, "" if status.run is None else status.run.id
    spec = _spec(template, _Release(model.name, model.version, model.sha256, run), verdict)
    name, annotations = status.promotion.name, {OPERATION: status.promotion.op_id}
    meta = ObjectMeta(name=name, namespace=job.metadata.namespace, annotations=annotations)
    return {key: value for key, value in unstructure(Promotion(spec, metadata=meta)).items() if key != "status"}


def sighting_of(job: TrainingJob, found: Promotion | None) -> Sighting:
    """What the object of the recorded name is to the job. One that it did not create is never adopted (G2)."""
    record = job.status.promotion
    if found is None or record is None:
        return Absent()
    owners = [one.uid for one in found.metadata.owner_references if one.controller]
    if owners != [job.metadata.uid] or found.metadata.annotations.get(OPERATION) != record.op_id:
        return Fault("NameConflict", f"the promotion {found.metadata.name} is there already, and is not of this job")
    phase = current_phase(found)
    said = Conditions.of(found.status.conditions).get(promotion_phases.PROMOTED)
    outcome = None if not promotion_phases.MACHINE.is_final(phase) else phase == "Succeeded"
    reason, message = ("", "") if said is None else (said.reason, said.message)
    return Seen(found.metadata.uid, phase, found.status.weight, reason, message, outcome)


def _spec(template: PromotionTemplate, release: _Release, gate: GateEvidence) -> PromotionSpec:
    return PromotionSpec(
        target=template.target,
        release=_release(template.release, release),
        steps=template.steps,
        gate=gate,
        guards=template.guards,
    )


def _release(template: ReleaseTemplate | None, release: _Release) -> Release:
    if template is None:
        return Release(release.sha256, model=ModelVersion(release.model, str(release.version)))
    values = {key: str(value) for key, value in attrs.asdict(release).items()}

    def filled(text: str | None) -> str | None:
        return None if text is None else _PLACE.sub(lambda found: values[found[1]], text)

    return Release(
        release.sha256,
        image=filled(template.image),
        runtime_version=filled(template.runtime_version),
        storage_uri=filled(template.storage_uri),
    )


def _unknown_places(template: ReleaseTemplate | None) -> list[str]:
    texts = () if template is None else (template.image, template.runtime_version, template.storage_uri)
    return [found[0] for text in texts if text for found in _PLACE.finditer(text) if found[1] not in _PLACES]
