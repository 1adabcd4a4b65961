"""Evidence is one canonical document for each check, bound to the model by digest: equal inputs give equal bytes (B2).

So it holds no time: how long a check took stands in the status beside the document's digest. The file is named by that
digest, which makes it impossible to replace one by another unseen. This module does not know any check.
"""

import importlib.metadata
import math
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from windlass.operators.training.files import canonical_json, decode_object, replace_file, sha256_of
from windlass.operators.training.gate.contract import Measurement
from windlass.operators.training.gate.types import CheckSpec, CheckStatus, GateStatus

__all__ = ("SCHEMA", "digest_of", "document", "evidence_fault", "keep", "libraries")

SCHEMA: Final = "windlass.dev/gate-evidence/v1"

_LIBRARIES: Final = ("windlass", "numpy", "onnxruntime")


def libraries() -> dict[str, str]:
    """The versions of what computed the numbers; a library that is not installed is left out."""
    found = {"python": platform.python_version()}
    for name in _LIBRARIES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def document(spec: CheckSpec, measured: Measurement, *, inputs: Mapping[str, str], seed: int) -> bytes:
    """What was asked, of what, and what was found, as canonical JSON. Numbers that are none become null."""
    made = {
        "schema": SCHEMA,
        "name": spec.name,
        "check": spec.check,
        "required": spec.required,
        "parameters": _plain(spec.parameters),
        "inputs": dict(inputs),
        "seed": seed,
        "outcome": measured.outcome,
        "reason": measured.reason,
        "message": measured.message,
        "statistic": _plain(measured.statistic),
        "threshold": _plain(measured.threshold),
        "samples": measured.samples,
        "details": _plain(measured.details),
        "libraries": libraries(),
    }
    return canonical_json(made)


def keep(folder: Path, content: bytes) -> str:
    """Put the document into the folder and return its digest, under which it lies there. Blocks."""
    digest = sha256_of(content)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{digest}.json"
    if not path.exists() or path.read_bytes() != content:
        replace_file(path, content)
    return digest


def digest_of(status: GateStatus) -> str:
    """One digest of all evidence for a verdict: of the model's digest, and of each check's outcome and document.

    Everything that it is made of stands in the status, so whoever has that can make it again.
    """
    checks = [[one.name, one.check, one.required, one.outcome, one.evidence_sha256] for one in status.checks]
    return sha256_of(canonical_json({"modelSha256": status.model_sha256, "passed": status.passed, "checks": checks}))


def evidence_fault(status: GateStatus, folder: Path) -> str | None:
    """Why the folder does not bear the verdict out, in a sentence; None if it does. Blocks."""
    for check in status.checks:
        path = folder / f"{check.evidence_sha256}.json"
        try:
            content = path.read_bytes()
        except OSError as error:
            return f"the evidence of {check.name} cannot be read: {error.strerror or error}"
        if sha256_of(content) != check.evidence_sha256:
            return f"the evidence of {check.name} is not the document that was recorded"
        said = decode_object(content) or {}
        inputs = said.get("inputs")
        about = inputs.get("model") if isinstance(inputs, Mapping) else None
        if about != status.model_sha256:
            return f"the evidence of {check.name} is about another model ({about})"
        if not _agree(check, said):
            return f"the evidence of {check.name} says something else than the verdict"
    return None


def _agree(check: CheckStatus, said: Mapping[str, object]) -> bool:
    stated = {"name": check.name, "check": check.check, "outcome": check.outcome, "required": check.required}
    return all(said.get(key) == value for key, value in stated.items())


def _plain(value: Any) -> Any:
    """JSON of what numpy and attrs-free code may hand over; a text for what is nothing of the kind."""
    match value:
        case None | bool() | str() | int():
            return value
        case float():
            return value if math.isfinite(value) else None
        case Mapping():
            return {str(key): _plain(one) for key, one in value.items()}
        case Sequence():
            return [_plain(one) for one in value]
    item = getattr(value, "tolist", None)
    return _plain(item()) if callable(item) else f"<{type(value).__name__}>"
