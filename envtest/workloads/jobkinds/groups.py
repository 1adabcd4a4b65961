"""A job's Pods come in groups, each Pod with a number of its own: which are wanted, there, and at their end. Pure.

A Pod belongs to a group by two labels, which are those of the kind of job. This module does not know the kinds.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import attrs

from windlass.envtest.workloads.objects import Json, active, at, condition, is_ready, parse_time, pod_from, written_time

__all__ = (
    "Group",
    "Members",
    "deadline_left",
    "exit_code",
    "is_true",
    "names",
    "not_going",
    "pod_for",
    "turned",
)


@attrs.frozen(kw_only=True)
class Group:
    """`count` Pods from one template, named by their numbers from 0 up."""

    name: str
    count: int
    template: Mapping[str, Any]
    labels: tuple[str, str]
    """The labels that have the group's name and the Pod's number."""


@attrs.frozen
class Members:
    """The Pods of one group that are not on their way out."""

    group: Group
    pods: tuple[Json, ...]

    @classmethod
    def of(cls, group: Group, pods: Sequence[Json]) -> "Members":
        """Those of all Pods that belong to the group."""
        label = group.labels[0]
        mine = (pod for pod in not_going(pods) if at(pod, "metadata", "labels", label) == group.name)
        return cls(group, tuple(mine))

    def numbers(self) -> set[int]:
        """The numbers that are taken."""
        label = self.group.labels[1]
        return {int(at(pod, "metadata", "labels", label)) for pod in self.pods}

    def missing(self) -> tuple[int, ...]:
        """The numbers that are wanted."""
        taken = self.numbers()
        return tuple(number for number in range(self.group.count) if number not in taken)

    def in_phase(self, *phases: str) -> tuple[Json, ...]:
        """Those in one of these phases."""
        return tuple(pod for pod in self.pods if (at(pod, "status", "phase") or "Pending") in phases)

    @property
    def ready(self) -> int:
        """How many are ready."""
        return sum(is_ready(pod) for pod in self.pods)

    @property
    def succeeded(self) -> bool:
        """Whether all of them are there and have succeeded."""
        return len(self.in_phase("Succeeded")) == self.group.count


def pod_for(job: Json, group: Group, number: int, *, name: str, env: Mapping[str, str], **metadata: Any) -> Json:
    """The Pod of a number, its containers with more variables. `metadata` has labels and annotations to add."""
    labels = {group.labels[0]: group.name, group.labels[1]: str(number)} | metadata.pop("labels", {})
    pod = pod_from(group.template, job["metadata"]["namespace"], name=name, labels=labels, **metadata)
    variables = [{"name": key, "value": value} for key, value in env.items()]
    spec = dict(pod["spec"])
    spec.setdefault("restartPolicy", "Never")
    spec["containers"] = [one | {"env": [*variables, *(one.get("env") or ())]} for one in spec.get("containers") or ()]
    return pod | {"spec": spec}


def not_going(pods: Sequence[Json]) -> tuple[Json, ...]:
    """The Pods whose deletion has not begun."""
    return tuple(pod for pod in pods if not at(pod, "metadata", "deletionTimestamp"))


def names(pods: Sequence[Json], *, active_only: bool = False) -> tuple[str, ...]:
    """The names of Pods that are not on their way out."""
    return tuple(pod["metadata"]["name"] for pod in not_going(pods) if active(pod) or not active_only)


def exit_code(pod: Json) -> int | None:
    """The code other than 0 that a container has ended with; None for a Pod that failed in some other way."""
    codes = (at(one, "state", "terminated", "exitCode") for one in at(pod, "status", "containerStatuses") or ())
    return next((int(code) for code in codes if code), None)


def is_true(job: Json, kind: str) -> bool:
    """Whether the condition is there and true."""
    return (condition(job, kind) or {}).get("status") == "True"


def turned(job: Json, now: datetime, one: Json, *, updated: bool = False) -> list[Json]:
    """The job's conditions with this one put in place; a status that stays keeps its time of transition."""
    before = condition(job, one["type"]) or {}
    others = [other for other in at(job, "status", "conditions") or () if other["type"] != one["type"]]
    if all(before.get(field) == value for field, value in one.items()):
        return list(at(job, "status", "conditions") or ())
    written = written_time(now)
    stays = before.get("status") == one["status"]
    times = {"lastTransitionTime": before["lastTransitionTime"] if stays else written}
    return [*others, one | times | ({"lastUpdateTime": written} if updated else {})]


def deadline_left(started: str | None, seconds: int | None, now: datetime) -> float | None:
    """Seconds until a deadline that counts from a moment as objects write it; None if there is no deadline."""
    moment = parse_time(started)
    if seconds is None or moment is None:
        return None
    return (moment + timedelta(seconds=seconds) - now).total_seconds()
