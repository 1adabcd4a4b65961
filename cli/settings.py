"""Everything a manager can be told, as options of a command: what a user may set is what `Settings` has, no more.

The defaults are those of the classes, so that a program and the command do the same. Each option is an environment
variable, too: WINDLASS_RUN_ and its name.
"""

import math
import re
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

import click

from windlass.cli.options import NAME, PORT
from windlass.controller import LeaderElection, Settings, Sharding, SupportedVersions
from windlass.controller.names import manager_fault

__all__ = ("in_options", "manager_options", "settings_of")

_DEFAULTS: Final = Settings()
_ELECTION: Final = LeaderElection("windlass")
_SHARDING: Final = Sharding("windlass-shards")
_VERSIONS: Final = SupportedVersions()
_ANY: Final = "any"
F = TypeVar("F", bound=Callable[..., Any])


# Settings whose options have their names.
_SAME: Final = (
    "probe_host",
    "probe_port",
    "probe_token",
    "block_threshold_seconds",
    "event_series",
    "grace_seconds",
    "connect_timeout_seconds",
    "sync_timeout_seconds",
    "contact_timeout_seconds",
    "deadline_seconds",
    "dry_run",
    "field_manager",
)


# How messages about a part of the settings go, the prefix of its options, and those of its fields that have it.
_PARTS: Final = (
    ("leader election on the Lease ", "leader-election", "name|namespace|identity"),
    ("sharding ", "sharding", "name|namespace|member|drain_seconds"),
    ("the supported versions cannot be used: ", "supported", "lowest|highest|policy"),
)
_WORDS: Final = {
    "SupportedVersions(policy='warn')": "--supported-policy warn",
    "'major.minor' or None": f"MAJOR.MINOR or {_ANY}",
    "leader_election.name and sharding.name": "--leader-election-name and --sharding-name",
    "leader_election and sharding": "--leader-election and --sharding",
    "dry_run: ": "--dry-run: ",
}


class _Seconds(click.FloatRange):
    """A finite number of seconds: a comparison with NaN is never true, so no range refuses it."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        found = super().convert(value, param, ctx)
        if not math.isfinite(found):
            self.fail(f"expected a finite number of seconds, found {found}", param, ctx)
        return found


def _seconds(minimum: float = 0.0, *, open_: bool = True) -> _Seconds:
    return _Seconds(min=minimum, min_open=open_)


_OPTIONS: Final = (
    click.option("--workers", type=click.IntRange(1), help="Keys that a controller works at once, unless it says so."),
    click.option(
        "--deadline-seconds", type=_seconds(), default=_DEFAULTS.deadline_seconds, show_default=True,
        help="When a run is ended, unless its controller says so.",
    ),
    click.option(
        "--dry-run", is_flag=True,
        help="Let the server check every write and store none; what would be written is logged.",
    ),
    click.option("--leader-election/--no-leader-election", default=False, show_default=True, help="Work if elected."),
    click.option("--leader-election-name", default=_ELECTION.name, show_default=True, help="Name of the Lease."),
    click.option("--leader-election-namespace", type=NAME, help="Its namespace. Default: the pod's, or the context's."),
    click.option("--leader-election-identity", help="Who holds it. Default: the host's name and a random part."),
    click.option("--sharding/--no-sharding", default=False, show_default=True, help="Share the keys among replicas."),
    click.option("--sharding-name", default=_SHARDING.name, show_default=True, help="Name of the group and its Lease."),
    click.option("--sharding-namespace", type=NAME, help="Its namespace. Default: the pod's, or the context's."),
    click.option("--sharding-member", help="What keys are given to. Default: the host's name and a random part."),
    click.option(
        "--sharding-drain-seconds", type=_seconds(open_=False), default=_SHARDING.drain_seconds, show_default=True,
        help="How long runs of a key that moves elsewhere may go on.",
    ),
    click.option(
        "--lease-seconds", type=click.IntRange(1), default=_ELECTION.lease_seconds, show_default=True,
        help="How long a Lease that nobody renews keeps others out; of election and sharding.",
    ),
    click.option(
        "--renew-seconds", type=_seconds(), default=_ELECTION.renew_seconds, show_default=True,
        help="How long after its last renewal a holder gives up.",
    ),
    click.option(
        "--retry-seconds", type=_seconds(), default=_ELECTION.retry_seconds, show_default=True,
        help="Between two renewals, and between two looks of a standby.",
    ),
    click.option("--probe-port", type=PORT, help="Serve /healthz, /readyz, /metrics and /debug/controllers here."),
    click.option(
        "--probe-host", default=_DEFAULTS.probe_host, show_default=True,
        help="Address of the probe port; one that others can reach needs --probe-token.",
    ),
    click.option(
        "--probe-token", help="Bearer token of /metrics and /debug. Better given by the environment, which `ps` hides."
    ),
    click.option(
        "--grace-seconds", type=_seconds(open_=False), default=_DEFAULTS.grace_seconds, show_default=True,
        help="How long an orderly stop may take in all.",
    ),
    click.option(
        "--connect-timeout-seconds", type=_seconds(), default=_DEFAULTS.connect_timeout_seconds, show_default=True,
        help="How long the server may be unreachable, or lack a kind, at the start.",
    ),
    click.option(
        "--sync-timeout-seconds", type=_seconds(), default=_DEFAULTS.sync_timeout_seconds, show_default=True,
        help="How long the first lists may take.",
    ),
    click.option(
        "--contact-timeout-seconds", type=_seconds(), default=_DEFAULTS.contact_timeout_seconds, show_default=True,
        help="How long an informer may be cut off from the server until /readyz fails.",
    ),
    click.option(
        "--block-threshold-seconds", type=_seconds(open_=False), default=_DEFAULTS.block_threshold_seconds,
        show_default=True, help="Name and count what holds the event loop for longer; 0: do not look.",
    ),
    click.option(
        "--field-manager", default=_DEFAULTS.field_manager, show_default=True,
        help="Field manager of writes, and reporter of Events.",
    ),
    click.option("--event-series/--no-event-series", default=False, show_default=True, help="Write Events as series."),
    click.option(
        "--supported-lowest", metavar="MAJOR.MINOR", default=_VERSIONS.lowest, show_default=True,
        help=f"Oldest version of the server that will do, or `{_ANY}`.",
    ),
    click.option(
        "--supported-highest", metavar="MAJOR.MINOR", default=_VERSIONS.highest or _ANY, show_default=True,
        help=f"Newest version of the server that will do, or `{_ANY}`.",
    ),
    click.option(
        "--supported-policy", type=click.Choice(["fail", "warn"]), default=_VERSIONS.policy, show_default=True,
        help="What happens when the server's version is another.",
    ),
)  # fmt: skip


def manager_options(function: F) -> F:
    """Add the options to a command; it gets them as keywords, for `settings_of`."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


def settings_of(given: Mapping[str, Any]) -> Settings:
    """The manager's settings, from a command's keywords. What does not go together, the manager says.

    Raises click.BadParameter for a name that no server takes as a field manager.
    """
    if (fault := manager_fault(given["field_manager"])) is not None:
        raise click.BadParameter(fault.partition(": ")[2], param_hint="--field-manager")
    times = {name: given[name] for name in ("lease_seconds", "renew_seconds", "retry_seconds")}
    election = LeaderElection(**_prefixed(given, "leader_election_"), **times)
    sharding = Sharding(**_prefixed(given, "sharding_"), **times)
    return Settings(
        **{name: given[name] for name in _SAME},
        workers=given["workers"] or _DEFAULTS.workers,
        leader_election=election if given["leader_election"] else None,
        sharding=sharding if given["sharding"] else None,
        supported_versions=SupportedVersions(
            _bound(given["supported_lowest"]), _bound(given["supported_highest"]), given["supported_policy"]
        ),
    )


def in_options(text: str) -> str:
    """What the manager says of its settings, in the words of who wrote the command: each field by its option."""
    text = "\n".join(_line_in_options(line) for line in text.split("\n"))
    for said, option in _WORDS.items():
        text = text.replace(said, option)
    text = re.sub(r"\b(lease|renew|retry)_seconds\b", r"--\1-seconds", text)
    return re.sub(r"\bSettings\.(\w+)", lambda found: "--" + found[1].replace("_", "-"), text)


def _line_in_options(line: str) -> str:
    for opening, prefix, fields in _PARTS:
        if opening in line:
            head, _, tail = line.partition(opening)
            named = re.compile(rf"\b({fields})(?=: expected| \()")
            tail = named.sub(lambda found, prefix=prefix: f"--{prefix}-{found[1].replace('_', '-')}", tail)  # type: ignore[misc]
            line = head + opening + tail
    return line


def _bound(text: str) -> str | None:
    return None if text == _ANY else text


def _prefixed(given: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    return {name.removeprefix(prefix): value for name, value in given.items() if name.startswith(prefix)}
