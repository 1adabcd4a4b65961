"""Errors of ``windlass.manifests``: declarations that no API server would take, files that no longer match the code.

WindlassError
└── ManifestsError
    ├── InvalidKind     a class cannot become a kind; raised at import, names class and field, rule, found, expected
    ├── Drift           generated files differ from what the code would generate now
    ├── NotEstablished  a cluster took a definition and still does not serve the kind
    ├── BadReview       a request to convert objects is none
    └── WebhookError    the conversion webhook cannot start
"""

from collections.abc import Iterable

from windlass.statemachine.errors import WindlassError

__all__ = ("BadReview", "Drift", "InvalidKind", "ManifestsError", "NotEstablished", "WebhookError")


class ManifestsError(WindlassError):
    """Something about what we tell the cluster is wrong."""


class InvalidKind(ManifestsError):
    """A class, or its decorator, breaks a rule of custom resource definitions.

    ``where`` is the class and field (``DatabaseSpec.replicas``; ``[]`` marks the items of a list, ``{}`` the values of
    a mapping), ``rule`` the rule in words with its id in the reference, ``found`` and ``expected`` what they say.
    """

    def __init__(self, where: str, *, rule: str, found: str, expected: str) -> None:
        self.where = where
        self.rule = rule
        self.found = found
        self.expected = expected
        super().__init__(f"{where}: {rule}: found {found}, expected {expected}")


class Drift(ManifestsError):
    """Generated files and code disagree; ``differences`` has one line for each."""

    def __init__(self, differences: Iterable[str]) -> None:
        self.differences = tuple(differences)
        remedy = "run `make crds` (or `windlass crd generate --folder …`) and commit the result"
        super().__init__("\n".join((*self.differences, remedy)))


class NotEstablished(ManifestsError):
    """The definition of ``kind`` was stored, but its objects cannot be listed yet; ``reason`` is the cluster's own."""

    def __init__(self, kind: str, reason: str, timeout_seconds: float) -> None:
        self.kind = kind
        self.reason = reason
        self.timeout_seconds = timeout_seconds
        super().__init__(f"{kind} is not served {timeout_seconds:g} s after its definition was applied: {reason}")


class BadReview(ManifestsError):
    """What came is no ConversionReview of ``apiextensions.k8s.io/v1``; ``field`` is where that shows."""

    def __init__(self, field: str, *, found: object) -> None:
        self.field = field
        self.found = found
        text = repr(found)
        text = text if len(text) <= 80 else f"{text[:77]}..."
        super().__init__(f"{field}: expected that of a ConversionReview of apiextensions.k8s.io/v1, found {text}")


class WebhookError(ManifestsError):
    """The conversion webhook has no certificate or no port."""
