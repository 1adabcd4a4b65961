"""Whatever waits for a model is bounded: how many requests, how many rows, how many bytes, and for how long.

`Limits` and `Batching` are the fields of the same names in `model.json`, and arguments of `ModelRepository.add`.
Times are in seconds. A wrong value is refused when it is made, with a ValueError that names the field.
"""

import math
from typing import Literal

import msgspec

__all__ = ("Batching", "Isolation", "Limits", "Policy")


def _at_least(name: str, value: float, least: int) -> None:
    # Written so that NaN is refused, too.
    if not value >= least:
        raise ValueError(f"{name}: expected at least {least}, found {value}")


class Batching(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How requests are put together into one execution.

    `rows_max` is the most rows of one execution. A request that has more runs alone, or is refused with 400 when
    `oversized` is "refuse"; it is never split (DB1).

    `rows_preferred` are sizes that need not wait for more (DB4). `delay_seconds` is how long the oldest request of a
    batch waits for others while a thread is free; at 0 nothing waits, and what arrives during an execution goes out
    together after it (DB2, DB3, DB5). `executions_max` bounds the executions of the model at once (DB8).

    A batch that fails is tried again, each request by itself and once, so that only the one at fault gets an error;
    with `retry_alone` off the whole batch gets it (DB12).

    With `latency_goal_seconds` the rows follow the model: as many as let a request that finds an execution running be
    answered within the goal, up to `rows_max`; see `pace.py`. None, the default, allows `rows_max` at all times.

    A model whose single rows were measured at warm-up to cost less than batching does computes small requests at once,
    each by itself, unless `always` is on.
    """

    rows_max: int = 32
    rows_preferred: tuple[int, ...] = ()
    delay_seconds: float = 0.0
    executions_max: int = 1
    retry_alone: bool = True
    oversized: Literal["alone", "refuse"] = "alone"
    always: bool = False
    latency_goal_seconds: float | None = None

    def __post_init__(self) -> None:
        _at_least("rows_max", self.rows_max, 1)
        _at_least("delay_seconds", self.delay_seconds, 0)
        self._check_goal()
        _at_least("executions_max", self.executions_max, 1)
        for rows in self.rows_preferred:
            if not 1 <= rows <= self.rows_max:
                raise ValueError(f"rows_preferred: expected sizes from 1 to rows_max ({self.rows_max}), found {rows}")

    def _check_goal(self) -> None:
        goal = self.latency_goal_seconds
        if goal is None:
            return
        if not 0 < goal < math.inf:
            raise ValueError(f"latency_goal_seconds: expected a finite number above 0, found {goal}")
        # The other half is the execution's.
        if self.delay_seconds > goal / 2:
            raise ValueError(
                f"delay_seconds: expected at most half of latency_goal_seconds ({goal:g}), found {self.delay_seconds:g}"
            )


class Limits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What may wait for one model; beyond it requests are refused at once with 429 (DB15).

    Rows and bytes are those of the inputs. Nothing waiting means that any one request may wait, however large.
    `timeout_seconds` runs from the request's headers to its answer; a client can shorten it, never lengthen it (DB18).
    `head_start_seconds` is how much earlier a request counts as arrived for each level of its priority.

    For the first `slow_start_seconds` after its first request a version is asked less: a fourth of `requests_max` at
    once at first, all of it at the end, so that what it has to fill first is filled by few (W6). 0 for no such time.
    """

    requests_max: int = 256
    rows_max: int = 65536
    bytes_max: int = 256 * 1024 * 1024
    timeout_seconds: float = 60.0
    head_start_seconds: float = 1.0
    slow_start_seconds: float = 0.0

    def __post_init__(self) -> None:
        for name in ("requests_max", "rows_max", "bytes_max"):
            _at_least(name, getattr(self, name), 1)
        _at_least("head_start_seconds", self.head_start_seconds, 0)
        _at_least("slow_start_seconds", self.slow_start_seconds, 0)
        if not self.timeout_seconds > 0:
            raise ValueError(f"timeout_seconds: expected more than 0, found {self.timeout_seconds}")

    def requests_at(self, age_seconds: float) -> int:
        """How many requests a version may have at once that has served for so long."""
        if age_seconds >= self.slow_start_seconds:
            return self.requests_max
        share = 0.25 + 0.75 * age_seconds / self.slow_start_seconds
        return max(1, int(self.requests_max * share))


class Isolation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a model runs in a process of its own.

    An execution that takes longer than `execution_seconds` ends with the process, and so does a start that takes longer
    than `start_seconds`. A process that ended is started again, at once at first, then after `backoff_seconds`, twice
    as much each time it happens again, up to `backoff_seconds_max`; one that lived for `backoff_seconds_max` counts as
    sound again. `memory_bytes_max` bounds its address space, so that what asks for more fails alone; None for no bound.
    """

    execution_seconds: float = 30.0
    start_seconds: float = 60.0
    backoff_seconds: float = 0.5
    backoff_seconds_max: float = 30.0
    memory_bytes_max: int | None = None

    def __post_init__(self) -> None:
        for name in ("execution_seconds", "start_seconds"):
            if not 0 < getattr(self, name) < math.inf:
                raise ValueError(f"{name}: expected more than 0, found {getattr(self, name)}")
        _at_least("backoff_seconds", self.backoff_seconds, 0)
        if not self.backoff_seconds <= self.backoff_seconds_max < math.inf:
            raise ValueError(
                f"backoff_seconds_max: expected at least backoff_seconds ({self.backoff_seconds}), "
                f"found {self.backoff_seconds_max}"
            )
        if self.memory_bytes_max is not None:
            _at_least("memory_bytes_max", self.memory_bytes_max, 1)


class Policy(msgspec.Struct, frozen=True):
    """The limits of a model, and how it batches; each request is executed by itself when `batching` is None."""

    limits: Limits = Limits()
    batching: Batching | None = None
