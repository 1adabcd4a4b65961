"""What do we tell the cluster we are? Kinds from attrs classes, their schemas and definitions, and generated files."""

from windlass.informers.typed import Rest
from windlass.manifests.alternatives import AllOf, AnyOf, AtLeastOneOf, AtMostOneOf, ExactlyOneOf, Fields, Not, OneOf
from windlass.manifests.builder import CRDBuilder
from windlass.manifests.compatibility import Change, changes
from windlass.manifests.crd import Definable, Webhook, crd, definition_of, to_yaml
from windlass.manifests.errors import BadReview, Drift, InvalidKind, ManifestsError, NotEstablished, WebhookError
from windlass.manifests.files import check, drift, write
from windlass.manifests.kinds import KindInfo, info_of, kind
from windlass.manifests.markers import (
    Atomic,
    Description,
    EmbeddedResource,
    ExclusiveMaximum,
    ExclusiveMinimum,
    Format,
    IntOrString,
    ListMap,
    ListSet,
    Marker,
    Maximum,
    MaxItems,
    MaxLength,
    MaxProperties,
    Minimum,
    MinItems,
    MinLength,
    MinProperties,
    MultipleOf,
    Nullable,
    Pattern,
    PreserveUnknownFields,
    Values,
    marked,
)
from windlass.manifests.paths import Column, Scale
from windlass.manifests.quantities import Quantity
from windlass.manifests.rbac import Need, needs
from windlass.manifests.roundtrip import read, written
from windlass.manifests.rules import Immutable, Rule
from windlass.manifests.schema import schema_of
from windlass.manifests.validation import faults
from windlass.manifests.versions import Versions
from windlass.manifests.webhook import ConversionServer, WebhookSettings, conversion_application
from windlass.manifests.wording import Example, ExternalDocs, Title

__all__ = (
    "AllOf",
    "AnyOf",
    "AtLeastOneOf",
    "AtMostOneOf",
    "Atomic",
    "BadReview",
    "CRDBuilder",
    "Change",
    "Column",
    "ConversionServer",
    "Definable",
    "Description",
    "Drift",
    "EmbeddedResource",
    "ExactlyOneOf",
    "Example",
    "ExclusiveMaximum",
    "ExclusiveMinimum",
    "ExternalDocs",
    "Fields",
    "Format",
    "Immutable",
    "IntOrString",
    "InvalidKind",
    "KindInfo",
    "ListMap",
    "ListSet",
    "ManifestsError",
    "Marker",
    "MaxItems",
    "MaxLength",
    "MaxProperties",
    "Maximum",
    "MinItems",
    "MinLength",
    "MinProperties",
    "Minimum",
    "MultipleOf",
    "Need",
    "Not",
    "NotEstablished",
    "Nullable",
    "OneOf",
    "Pattern",
    "PreserveUnknownFields",
    "Quantity",
    "Rest",
    "Rule",
    "Scale",
    "Title",
    "Values",
    "Versions",
    "Webhook",
    "WebhookError",
    "WebhookSettings",
    "changes",
    "check",
    "conversion_application",
    "crd",
    "definition_of",
    "drift",
    "faults",
    "info_of",
    "kind",
    "marked",
    "needs",
    "read",
    "schema_of",
    "to_yaml",
    "write",
    "written",
)
