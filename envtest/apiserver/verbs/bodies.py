"""A body is refused before anything is decided when it does not fit its URL, or what it names is no longer so."""

from typing import Any

from windlass.envtest.apiserver import objects
from windlass.envtest.apiserver.builtin.shapes import schema_shape_fault, shape_fault
from windlass.envtest.apiserver.errors import ApiError, Fault, bad_request, conflict, invalid, modified
from windlass.envtest.apiserver.kinds import Resource
from windlass.envtest.apiserver.schema import crds
from windlass.envtest.apiserver.store.storage import Stored
from windlass.envtest.apiserver.values import Json, encode, same
from windlass.envtest.apiserver.verbs.targets import DeleteOptions, Target, WriteOptions

__all__ = (
    "check_preconditions",
    "check_uid",
    "check_version",
    "checked_body",
    "deduplicate_owners",
    "report_unknown",
)


def checked_body(body: Any, target: Target, options: WriteOptions | None = None) -> Json:
    """The metadata of a body that fits its URL (E-07, CR-04); fills in what the URL already says."""
    resource = target.resource
    if not isinstance(body, dict):
        raise bad_request("the body must be an object")
    if resource.custom and not body.get("kind"):
        raise bad_request(f"Object 'Kind' is missing in '{encode(body)[:200].decode(errors='replace')}'")
    given = (body.setdefault("apiVersion", resource.api_version), body.setdefault("kind", resource.kind))
    if resource.custom and given[0] == resource.api_version and given[1] != resource.kind:
        fault = Fault.invalid("kind", given[1], f"must be {resource.kind}")
        claimed = body.get("metadata")
        name = claimed.get("name") if isinstance(claimed, dict) else None
        raise invalid(resource.kind, resource.group, str(name or ""), [fault])
    if given != (resource.api_version, resource.kind):
        expected = f"{resource.api_version}, Kind={resource.kind}"
        raise bad_request(
            f"the API version in the data ({given[0]}, Kind={given[1]}) does not match "
            f"the expected API version ({expected})"
        )
    if body.get("metadata") is None:
        body["metadata"] = {}
    metadata: Json = body["metadata"]
    problem = objects.shape_faults(metadata) or shape_fault(body, resource) or _schema_problem(body, resource)
    if problem:
        raise bad_request(f"{resource.kind} in version {resource.version!r} cannot be handled: {problem}")
    unknown = [field for field in metadata if field not in objects.METADATA_FIELDS]
    if options is not None:
        report_unknown([f"metadata.{field}" for field in unknown], options)
    for field in [field for field, value in metadata.items() if value is None or field in unknown]:
        del metadata[field]
    if target.name:
        name = metadata.setdefault("name", target.name)
        if name != target.name:
            raise bad_request(f"the name of the object ({name}) does not match the name on the URL ({target.name})")
    if metadata.get("namespace") and metadata["namespace"] != target.namespace:
        raise bad_request("the namespace of the provided object does not match the namespace sent on the request")
    return metadata


def _schema_problem(obj: Json, resource: Resource) -> str:
    if resource.qualified != crds.CRD:
        return ""
    for index, version in enumerate((obj.get("spec") or {}).get("versions") or []):
        schema = (version.get("schema") or {}).get("openAPIV3Schema")
        path = f"spec.versions[{index}].schema.openAPIV3Schema"
        problem = schema_shape_fault(schema, path) if schema is not None else ""
        if problem:
            return problem
    return ""


def check_uid(target: Target, metadata: Json, old: Json) -> None:
    """E-05: the uid in the body of an update is a precondition, also where nothing is; in a patch it is immutable."""
    uid, found = metadata.get("uid"), old.get("uid", "")
    if uid and uid != found:
        message = f"Precondition failed: UID in precondition: {uid}, UID in object meta: {found}"
        raise conflict(target.resource.qualified, target.name, message)


def check_version(target: Target, metadata: Json, old: Json) -> None:
    """E-05: a resource version in a body is a precondition."""
    version = metadata.get("resourceVersion")
    if version and version != old["resourceVersion"]:
        raise modified(target.resource.qualified, target.name)


def check_preconditions(target: Target, stored: Stored, options: DeleteOptions) -> None:
    """D-05; the words differ from those of an update (E-05)."""
    metadata, message = stored.metadata, ""
    if options.uid is not None and options.uid != metadata["uid"]:
        message = (
            f"the UID in the precondition ({options.uid}) does not match the UID in record ({metadata['uid']}). "
            "The object might have been deleted and then recreated"
        )
    elif options.resource_version is not None and options.resource_version != metadata["resourceVersion"]:
        message = (
            f"the ResourceVersion in the precondition ({options.resource_version}) does not match the ResourceVersion "
            f"in record ({metadata['resourceVersion']}). The object might have been modified"
        )
    if message:
        error = conflict(target.resource.qualified, target.name, message)
        error.details["kind"] = target.resource.kind
        raise error


def report_unknown(unknown: list[str], options: WriteOptions) -> None:
    """F-02."""
    if not unknown or options.validation == "Ignore":
        return
    texts = [f'unknown field "{path}"' for path in unknown]
    if options.validation == "Strict":
        raise ApiError(400, "BadRequest", f"strict decoding error: {', '.join(texts)}")
    options.warnings.extend(texts)


def deduplicate_owners(metadata: Json, options: WriteOptions) -> None:
    """CR-04."""
    owners, kept = metadata.get("ownerReferences") or [], list[Json]()
    for owner in owners:
        if any(same(owner, other) for other in kept):
            options.warnings.append(
                ".metadata.ownerReferences contains duplicate entries; API server dedups owner references in 1.20+"
            )
        else:
            kept.append(owner)
    if len(kept) != len(owners):
        metadata["ownerReferences"] = kept
