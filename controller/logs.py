"""One log record is one line of JSON, with a run's facts as fields of their own: what machines search by (table 1.7).

Messages stay constant texts; `controller`, `key`, `reason` and `reconcile_id` come from the run's log (`ctx.log`), and
whatever else a caller gives as `extra` comes along. This module installs nothing: a program sets the formatter on its
handler, as `windlass run --log-format json` does.
"""

import json
import logging
from datetime import UTC, datetime
from typing import Any, Final

__all__ = ("RUN_FIELDS", "JsonFormatter")

RUN_FIELDS: Final = ("controller", "key", "reason", "reconcile_id")
"""What each record of a run carries, in this order."""

# What every record has; the rest are extras.
_STANDARD: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_OWN: Final = frozenset({"time", "level", "logger", "error"})


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
