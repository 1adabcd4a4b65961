"""A request is read whole, its options and its body, or refused as malformed; what it asks for is not looked at."""

from typing import Any

import msgspec
import yaml
from aiohttp import web

from windlass.envtest.apiserver.builtin.shapes import delete_options_fault
from windlass.envtest.apiserver.errors import Fault, bad_request, invalid, unsupported_media_type
from windlass.envtest.apiserver.http.protobuf import PROTOBUF, decode_protobuf
from windlass.envtest.apiserver.identity import User
from windlass.envtest.apiserver.queries import flag
from windlass.envtest.apiserver.values import Json, decode, duplicate_field, encode
from windlass.envtest.apiserver.verbs.targets import DeleteOptions, WriteOptions

__all__ = ("delete_options", "is_dry_run", "optional_body", "parsed", "read_body", "write_options")

BODY_TYPES = ("application/json", "application/yaml")


def write_options(request: web.Request, user: User) -> WriteOptions:
    """The query of a write. Raises `ApiError` for what the server does not have."""
    query = request.query
    agent = request.headers.get("User-Agent", "").partition("/")[0]
    validation = query.get("fieldValidation") or "Warn"
    if validation not in ("Strict", "Warn", "Ignore"):
        choices = ("Ignore", "Strict", "Warn")
        raise invalid("WriteOptions", "meta.k8s.io", "", [Fault.unsupported("fieldValidation", validation, choices)])
    manager = query.get("fieldManager", "")
    if faults := _manager_faults(manager):
        raise invalid("WriteOptions", "meta.k8s.io", "", faults)
    if request.content_type == "application/apply-patch+yaml" and not manager:  # P-07
        raise invalid(
            "PatchOptions", "meta.k8s.io", "", [Fault.required("fieldManager", "is required for apply patch")]
        )
    sent: Json = {name: query[name] for name in ("fieldManager", "fieldValidation") if query.get(name)}
    return WriteOptions(
        sent=sent | ({"dryRun": query.getall("dryRun")} if "dryRun" in query else {}),
        dry_run=is_dry_run(query.getall("dryRun", [])),
        manager=manager or agent or "unknown",
        validation=validation,
        force=flag(query, "force"),
        user=user,
    )


def delete_options(request: web.Request, body: Json) -> DeleteOptions:
    """The options of a deletion, from its body or else its query. Raises `ApiError`."""
    query = {} if body else request.query  # a body is the whole of the options, as on a real server
    preconditions = body.get("preconditions") or {}
    policy = body.get("propagationPolicy") or query.get("propagationPolicy", "")
    problem = delete_options_fault(body)
    if problem:
        raise bad_request(f"DeleteOptions cannot be handled: {problem}")
    orphan = body.get("orphanDependents")
    if orphan is not None and policy:
        detail = "orphanDependents and deletionPropagation cannot be both set"
        raise invalid("DeleteOptions", "meta.k8s.io", "", [Fault.forbidden("propagationPolicy", detail)])
    if orphan is not None:
        policy = "Orphan" if orphan else "Background"
    if policy not in ("", "Foreground", "Background", "Orphan"):
        fault = Fault.unsupported("propagationPolicy", policy, ("Foreground", "Background", "Orphan"))
        raise invalid("DeleteOptions", "meta.k8s.io", "", [fault])
    sent = {name: value for name, value in body.items() if name not in ("kind", "apiVersion")}
    for name in ("propagationPolicy", "gracePeriodSeconds"):
        if name in query:
            sent.setdefault(name, int(query[name]) if query[name].isdecimal() else query[name])
    if "dryRun" in query:
        sent.setdefault("dryRun", request.query.getall("dryRun"))
    return DeleteOptions(
        sent=sent,
        dry_run=is_dry_run(_strings(body.get("dryRun")) if body else request.query.getall("dryRun", [])),
        policy=policy,
        uid=preconditions.get("uid"),
        resource_version=preconditions.get("resourceVersion"),
    )


def is_dry_run(values: list[str]) -> bool:
    """Whether the values of dryRun ask for one; there is one kind of it."""
    if not values:
        return False
    if values != ["All"]:
        raise invalid("WriteOptions", "meta.k8s.io", "", [Fault.unsupported("dryRun", values[0], ("All",))])
    return True


async def read_body(request: web.Request, options: WriteOptions | None = None) -> Any:
    """The value of a body. With options a field that stands twice is refused or warned of, as they say (F-02)."""
    if request.content_type == PROTOBUF:
        return decode_protobuf(await request.read())
    if request.content_type not in (*BODY_TYPES, "application/octet-stream"):
        raise unsupported_media_type(BODY_TYPES)
    raw = await request.read()
    body = parsed(raw, request.content_type)
    if options is None or options.validation == "Ignore" or request.content_type != "application/json":
        return body
    twice = duplicate_field(raw)
    if twice and options.validation == "Strict":
        raise bad_request(f'strict decoding error: duplicate field "{twice}"')
    if twice:
        options.warnings.append(f'duplicate field "{twice}"')
    return body


async def optional_body(request: web.Request) -> Json:
    """The body of a deletion; empty where there is none."""
    raw = await request.read()
    body = parsed(raw, request.content_type) if raw.strip() else {}
    if not isinstance(body, dict):
        raise bad_request("DeleteOptions must be an object")
    return body


def parsed(raw: bytes, content_type: str) -> Any:
    """The value of JSON or YAML. Raises 400."""
    try:
        if content_type == "application/yaml" and not raw.lstrip().startswith(b"{"):
            return decode(encode(yaml.safe_load(raw)))  # through JSON, so that dates become strings
        return decode(raw)
    except (msgspec.MsgspecError, yaml.YAMLError, TypeError, ValueError) as error:
        raise bad_request(f"error decoding the body: {error}") from None


def _strings(value: Any) -> list[str]:
    return [str(item) for item in value] if isinstance(value, list) else []


def _manager_faults(manager: str) -> list[Fault]:
    if len(manager.encode()) > 128:
        return [Fault.too_long("fieldManager", 128)]
    strange = [(place, one) for place, one in enumerate(manager) if not one.isprintable()]
    return [
        Fault.invalid("fieldManager", manager, f"invalid character U+{ord(one):04X} (at position {place})")
        for place, one in strange
    ]
