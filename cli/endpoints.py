"""Everything an endpoint can be told, as options of a command; what cannot be meant is wrong usage and starts nothing.

The defaults are those of the classes, so that a program and the command do the same. Each option is an environment
variable, too.
"""

import contextlib
import logging
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

import attrs
import click

from windlass.cli.options import FILE, PORT, usable_kubeconfig
from windlass.controller import AccessReviews
from windlass.informers import Client, Cluster
from windlass.serving import (
    Access,
    ConnectionLimits,
    EndpointError,
    EndpointOptions,
    PayloadOptions,
    Reviewed,
    ServingError,
    TelemetryOptions,
    TlsFiles,
    TokenFile,
)
from windlass.serving.access import Caller, Reviews, ServerTls
from windlass.serving.telemetry import Tracing
from windlass.serving.telemetry.accesslog import ACCESS_LOGGER
from windlass.serving.traffic import TrafficOptions

__all__ = ("EndpointPlan", "endpoint_options", "plan_of")

F = TypeVar("F", bound=Callable[..., Any])

_DEFAULTS: Final = EndpointOptions()
_LIMITS: Final = ConnectionLimits()
_FRACTION: Final = click.FloatRange(0, 1)
_SECONDS: Final = click.FloatRange(min=0, min_open=True)
_COUNT: Final = click.IntRange(1)

# Fields whose options have their names.
_SAME: Final = (
    "page",
    "repository_control",
    "grpc_port",
    "threads",
    "requests_max",
    "max_body_bytes",
    "all_bodies_bytes_max",
)
_LIMITS_SAME: Final = ("head_seconds", "idle_seconds", "body_seconds", "stall_seconds", "connections_max")

_OPTIONS: Final = (
    click.option("--page/--no-page", default=True, show_default=True, help="Serve a page for people at /page."),
    click.option("--traffic", type=FILE, help="Routes between models, read now and whenever the file changes."),
    click.option("--traffic-api", is_flag=True, help="Open /v2/traffic: routes, their experiments, and rewards."),
    click.option("--traffic-keep", type=FILE, help="File in which routes set by --traffic-api survive a restart."),
    click.option("--experiments", type=FILE, help="Journal of what experiments decide, which they find again."),
    click.option("--repository-control", is_flag=True, help="Let requests load and unload models: who may ask, may."),
    click.option("--grpc-port", type=PORT, help="Port of the v2 protocol over gRPC; 0 for a free one. Default: none."),
    click.option(
        "--lame-duck", type=click.FloatRange(min=0), default=_DEFAULTS.lame_duck_seconds, show_default=True,
        metavar="SECONDS",
        help="Go on serving, though not ready, for so long after SIGTERM; 5 to 15 behind a Kubernetes Service.",
    ),
    click.option(
        "--drain", type=click.FloatRange(min=0), default=_DEFAULTS.drain_seconds, show_default=True, metavar="SECONDS",
        help="How long requests under way may take to finish after that.",
    ),
    click.option(
        "--grace", type=_SECONDS, metavar="SECONDS",
        help="terminationGracePeriodSeconds of the pod; refuse to start if stopping may take longer.",
    ),
    click.option("--threads", type=_COUNT, default=_DEFAULTS.threads, show_default=True, help="Executions at once."),
    click.option(
        "--requests-max", type=_COUNT, default=_DEFAULTS.requests_max, show_default=True,
        help="Requests worked on at once; more get 429.",
    ),
    click.option(
        "--max-body-bytes", type=_COUNT, default=_DEFAULTS.max_body_bytes, show_default=True,
        help="Largest body, decompressed.",
    ),
    click.option(
        "--all-bodies-bytes-max", type=_COUNT, default=_DEFAULTS.all_bodies_bytes_max, show_default=True,
        help="Bodies in memory at once; more get 429.",
    ),
    click.option(
        "--head-seconds", type=_SECONDS, default=_LIMITS.head_seconds, show_default=True,
        help="How long a request's head, and a TLS handshake, may take.",
    ),
    click.option(
        "--idle-seconds", type=_SECONDS, default=_LIMITS.idle_seconds, show_default=True,
        help="How long a connection may be open without a request.",
    ),
    click.option(
        "--body-seconds", type=_SECONDS, default=_LIMITS.body_seconds, show_default=True,
        help="How long a request's body may take.",
    ),
    click.option(
        "--stall-seconds", type=_SECONDS, default=_LIMITS.stall_seconds, show_default=True,
        help="How long a client may take nothing of its answer.",
    ),
    click.option(
        "--connections-max", type=_COUNT, default=_LIMITS.connections_max, show_default=True,
        help="HTTP connections at once; more get 503.",
    ),
    click.option("--tls-cert", type=FILE, help="Certificate, PEM; serve HTTPS and gRPC over TLS. Replaced: read anew."),
    click.option("--tls-key", type=FILE, help="Its key, PEM."),
    click.option("--client-ca", type=FILE, help="Authority, PEM; clients must show a certificate of it."),
    click.option("--client-certificates", is_flag=True, help="A client certificate's common name is a caller."),
    click.option("--token-file", type=FILE, help="Callers: a name, a token and groups on each line."),
    click.option("--token-reviews", is_flag=True, help="Let the Kubernetes API server say whose a token is."),
    click.option("--access-reviews", is_flag=True, help="Let the Kubernetes API server say what callers may do."),
    click.option("--audience", "audiences", multiple=True, help="What reviewed tokens must be for; may be repeated."),
    click.option("--kubeconfig", type=FILE, help="Of that server. Default: $KUBECONFIG, ~/.kube/config, the pod's."),
    click.option(
        "--health-open/--no-health-open", default=True, show_default=True, help="Answer probes without a credential."
    ),
    click.option(
        "--metrics-open/--no-metrics-open", default=False, show_default=True,
        help="Answer /metrics without a credential.",
    ),
    click.option("--cors-origin", "cors_origins", multiple=True, help="Origin whose pages may read answers."),
    click.option(
        "--access-log", type=_FRACTION, metavar="FRACTION",
        help="Write this share of the requests that succeed, and all that fail, as JSON lines to stderr.",
    ),
    click.option("--payload-log", type=FILE, help="Write what requests carry, as JSON lines, to this file."),
    click.option(
        "--payload-fraction", type=_FRACTION, show_default="1.0", metavar="FRACTION",
        help="The share of requests in it.",
    ),
    click.option("--payload-redact", multiple=True, metavar="TENSOR", help="Never write this tensor; may be repeated."),
    click.option("--traces", metavar="URL", help="Send spans by OTLP over HTTP: http://HOST:4318/v1/traces."),
    click.option(
        "--traces-fraction", type=_FRACTION, show_default="1.0", metavar="FRACTION",
        help="The share of requests that are traced, where their clients do not say.",
    ),
)  # fmt: skip


def endpoint_options(command: F) -> F:
    """Add the options to a command, which gets them as keyword arguments."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


@attrs.frozen
class EndpointPlan:
    """Options that have been checked, and what has to be opened for them."""

    options: EndpointOptions
    given: Mapping[str, Any] = attrs.field(repr=False)

    @contextlib.asynccontextmanager
    async def opened(self) -> AsyncIterator[EndpointOptions]:
        """The options, complete, for as long as what they need is open.

        Raises ConfigError for a kubeconfig that cannot be used.
        """
        given = self.given
        async with contextlib.AsyncExitStack() as stack:
            options = self.options
            if given["access_log"] is not None:
                stack.enter_context(_access_log_on_stderr())
            if given["traces"] is not None:
                tracing = await stack.enter_async_context(_tracing(given["traces"], _share(given["traces_fraction"])))
                options = attrs.evolve(options, telemetry=attrs.evolve(options.telemetry, tracing=tracing))
            if given["token_reviews"] or given["access_reviews"]:
                with usable_kubeconfig():
                    cluster = await Cluster.load(given["kubeconfig"])
                client = await stack.enter_async_context(Client(cluster))
                reviewed = Reviewed(AccessReviews(client, audiences=given["audiences"]))
                options = attrs.evolve(options, access=_access(given, _tokens(given), reviewed))
            yield options


def plan_of(given: Mapping[str, Any]) -> EndpointPlan:
    """The plan. Raises click.UsageError for values that cannot be meant, alone or together."""
    if (given["tls_cert"] is None) != (given["tls_key"] is None):
        raise click.UsageError("--tls-cert and --tls-key belong together")
    if given["client_ca"] is not None and given["tls_cert"] is None:
        raise click.UsageError("--client-ca needs --tls-cert and --tls-key")
    if given["token_reviews"] and given["token_file"] is not None:
        raise click.UsageError("--token-reviews and --token-file both say whose a token is; expected one of them")
    if given["audiences"] and not given["token_reviews"]:
        raise click.UsageError("--audience needs --token-reviews")
    if given["payload_log"] is None and (given["payload_fraction"] is not None or given["payload_redact"]):
        raise click.UsageError("--payload-fraction and --payload-redact need --payload-log")
    if given["traces"] is not None:
        _check_url(given["traces"])
        _require_otel()
    elif given["traces_fraction"] is not None:
        raise click.UsageError("--traces-fraction needs --traces")
    try:
        options = _options(given)
        if options.tls is not None:
            ServerTls(options.tls)  # looked at now: files that cannot be used are wrong usage
        return EndpointPlan(options, given)
    except ServingError as error:
        raise click.UsageError(str(error)) from error


def _options(given: Mapping[str, Any]) -> EndpointOptions:
    tls = None if given["tls_cert"] is None else TlsFiles(given["tls_cert"], given["tls_key"], given["client_ca"])
    payloads = None
    if given["payload_log"] is not None:
        fraction = _share(given["payload_fraction"])
        payloads = PayloadOptions(given["payload_log"], fraction, tuple(given["payload_redact"]))
    reviewed = given["token_reviews"] or given["access_reviews"]
    return EndpointOptions(
        **{name: given[name] for name in _SAME},
        connections=ConnectionLimits(**{name: given[name] for name in _LIMITS_SAME}),
        traffic=TrafficOptions(
            file=given["traffic"], api=given["traffic_api"], journal=given["experiments"], keep=given["traffic_keep"]
        ),
        drain_seconds=given["drain"],
        lame_duck_seconds=given["lame_duck"],
        grace_seconds=given["grace"],
        tls=tls,
        # Never open, not even until the reviews are: the plan's own options let nobody in that it does not know.
        access=_access(given, _tokens(given), _NobodyIsKnown() if reviewed else None),
        cors_origins=tuple(given["cors_origins"]),
        telemetry=TelemetryOptions(given["access_log"], payloads),
    )


def _tokens(given: Mapping[str, Any]) -> TokenFile | None:
    return None if given["token_file"] is None else TokenFile(given["token_file"])


def _access(given: Mapping[str, Any], tokens: TokenFile | None, reviews: Reviews | None) -> Access | None:
    authenticator = reviews if given["token_reviews"] else tokens
    if authenticator is None and not given["client_certificates"]:
        if given["access_reviews"]:
            raise EndpointError(
                "--access-reviews needs callers: --token-file, --token-reviews or --client-certificates"
            )
        return None
    return Access(
        authenticator,
        reviews if given["access_reviews"] else None,
        certificates=given["client_certificates"],
        health_open=given["health_open"],
        metrics_open=given["metrics_open"],
    )


class _NobodyIsKnown:
    """Until there is somebody to ask."""

    async def caller(self, _: str) -> None:
        return None

    async def permits(self, _: Caller, *, verb: str, path: str) -> bool:  # noqa: ARG002  (the protocol's names)
        return False


@contextlib.contextmanager
def _access_log_on_stderr() -> Iterator[None]:
    logger = logging.getLogger(ACCESS_LOGGER)
    handler = logging.StreamHandler(sys.stderr)
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False
    try:
        yield
    finally:
        logger.removeHandler(handler)


def _share(fraction: float | None) -> float:
    return 1.0 if fraction is None else fraction


def _check_url(url: str) -> None:
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        good = False
    if not good:
        raise click.UsageError(f"--traces: expected a URL such as http://HOST:4318/v1/traces, found {url!r}")


def _require_otel() -> None:
    try:
        import opentelemetry.sdk  # noqa: F401, PLC0415  (an extra)
    except ImportError as error:
        raise click.UsageError("--traces needs a library that is missing: pip install 'windlass[otel]'") from error


@contextlib.asynccontextmanager
async def _tracing(url: str, fraction: float) -> AsyncIterator[Tracing]:
    from windlass.cli.traces import exporting  # noqa: PLC0415  (an extra)

    async with exporting(url, fraction) as tracing:
        yield tracing
