"""One log record is one line of JSON, with a run's facts as fields of their own: what machines search by (table 1.7).

Messages stay constant texts; `controller`, `key`, `reason` and `reconcile_id` come from the run's log (`ctx.log`), and
whatever else a caller gives as `extra` comes along. This module installs nothing: a program sets the formatter on its
handler, as `windlass run --log-format json` does.
"""

import json
import logging
from collections.abc import MutableMapping
from datetime import UTC, datetime
from typing import Any, Final

from windlass.controller.request import Request

__all__ = ("RUN_FIELDS", "JsonFormatter", "RunLog")

RUN_FIELDS: Final = ("controller", "key", "reason", "reconcile_id")
"""What each record of a run carries, in this order."""

# What every record has; the rest are extras.
_STANDARD: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_OWN: Final = frozenset({"time", "level", "logger", "error"})


class RunLog(logging.LoggerAdapter[logging.Logger]):
    """Adds a run's facts to each record, beside what the caller adds. Most runs log nothing; they pay for nothing."""

    def __init__(self, log: logging.Logger, controller: str, request: Request) -> None:
        super().__init__(log)
        self._controller = controller
        self._request = request

    def process(self, msg: Any, kwargs: MutableMapping[str, Any]) -> tuple[Any, MutableMapping[str, Any]]:
        """See LoggerAdapter."""
        request = self._request
        values = self._controller, str(request.key), request.reason, request.reconcile_id
        kwargs["extra"] = {**dict(zip(RUN_FIELDS, values, strict=True)), **(kwargs.get("extra") or {})}
        return msg, kwargs


class JsonFormatter(logging.Formatter):
    """Formats records as JSON objects: time (UTC), level, logger, message, the run's fields, other extras, error.

    An extra that is not JSON is written as its text, and one whose name is taken gets an underscore.
    """

    def format(self, record: logging.LogRecord) -> str:
        """The line, without its end."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        extras = {name: value for name, value in vars(record).items() if name not in _STANDARD}
        line |= {name: extras.pop(name) for name in RUN_FIELDS if name in extras}
        line |= {f"{name}_" if name in _OWN else name: value for name, value in extras.items()}
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        if record.stack_info:
            line["stack"] = self.formatStack(record.stack_info)
        return json.dumps(line, ensure_ascii=False, default=str)
