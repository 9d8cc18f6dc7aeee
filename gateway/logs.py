"""Structured logs, one JSON object a line. Only fields on the list are written, so that no personal datum slips in."""

from __future__ import annotations

import json
import logging
import re
import sys
from datetime import UTC, datetime
from typing import Literal

FIELDS = frozenset(
    {
        "agent", "by", "bytes", "call", "code", "count", "duration_s", "duty", "effect", "kind", "lag_s", "leg",
        "level", "method", "node", "path", "peer_kind", "phase", "pid", "queue", "reason", "recording", "session",
        "status", "token", "why",
    }
)  # fmt: skip
"""What may stand in a log line: names of our own making, counts and times. Never a number, a name or a text."""

_OWN = frozenset(logging.makeLogRecord({}).__dict__)


class JsonLines(logging.Formatter):
    """A record as one line of JSON. The session's id is the trace id of everything that is done for it."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "from": record.name,
            "what": _said(record),
        }
        line.update((key, value) for key, value in record.__dict__.items() if key in FIELDS and key not in _OWN)
        if record.exc_info and record.exc_info[0] is not None:
            line["error"] = record.exc_info[0].__name__
            line["where"] = _where(record)
        return json.dumps(line, ensure_ascii=False, default=str)


OURS = frozenset(
    {"accounts", "bots", "channels", "config", "gateway", "media", "queueing", "realtime", "recordings", "session",
     "storage"}
)  # fmt: skip
"""Only our own code's arguments are trusted to hold nothing personal; other libraries keep their bare template."""


_QUOTES = re.compile(r"[\n('\"<]")
"""Where a library's own words end and begin to quote."""


def _said(record: logging.LogRecord) -> str:
    """Of a library's line the bare beginning: asyncio's go on with the arguments of what failed, and its error."""
    if record.name.partition(".")[0] in OURS:
        return record.getMessage()
    return _QUOTES.split(str(record.msg), maxsplit=1)[0].rstrip()


def _where(record: logging.LogRecord) -> list[str]:
    """The stack without its values: an exception's own text may quote what a citizen sent."""
    traceback = record.exc_info[2] if record.exc_info else None
    frames = []
    while traceback is not None:
        code = traceback.tb_frame.f_code
        frames.append(f"{code.co_name}:{traceback.tb_lineno}")
        traceback = traceback.tb_next
    return frames[-12:]


def set_up(level: str, form: Literal["json", "plain"]) -> None:
    """Send every log to standard error, in this form."""
    handler = logging.StreamHandler(sys.stderr)
    if form == "json":
        handler.setFormatter(JsonLines())
    else:
        handler.setFormatter(PlainLines("%(asctime)s %(levelname)-7s %(name)s: %(message)s", "%H:%M:%S"))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for chatty in ("aiohttp.access", "alembic"):
        logging.getLogger(chatty).setLevel(logging.WARNING)


class PlainLines(logging.Formatter):
    """For eyes: the same fields, behind the words."""

    def format(self, record: logging.LogRecord) -> str:
        extras = " ".join(
            f"{key}={value}" for key, value in record.__dict__.items() if key in FIELDS and key not in _OWN
        )
        if record.exc_info and record.exc_info[0] is not None:
            extras += f" error={record.exc_info[0].__name__} where={'<'.join(reversed(_where(record)))}"
        bare = logging.makeLogRecord(
            {**record.__dict__, "msg": _said(record), "args": None, "exc_info": None, "exc_text": None}
        )
        return f"{super().format(bare)} {extras}".rstrip()
