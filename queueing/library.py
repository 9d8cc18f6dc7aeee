"""The scripts, as one function library whose name carries a hash of all that is in it.

So every node calls exactly what it was built with: nodes of two releases, or with two sets of settings, may share a
store while one replaces the other.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib import resources

from queueing import policy
from queueing.settings import QueueSettings

PARTS = (
    "prelude",
    "journal",
    "line",
    "assignee",
    "charge",
    "offer",
    "node",
    "kin",
    "shared",
    "session",
    "debt",
    "change",
    "mailbox",
    "roster",
    "answer",
    "dispatch",
    "sight",
)
"""Files of `lua/`, each after those that it calls."""

MOST = 100
"""The most of anything that one script does."""


@dataclass(frozen=True, slots=True)
class Library:
    """A library's name and text, as `FUNCTION LOAD` takes it."""

    name: str
    code: str

    @classmethod
    def of(cls, settings: QueueSettings, parts: str | None = None) -> Library:
        """The library for these settings. `parts` takes the place of the files' text."""
        body = f"local SETTINGS = {_table(settings)}\n{parts or source()}"
        name = "yihao_" + hashlib.sha256(body.encode()).hexdigest()[:16]
        return cls(name, f"#!lua name={name}\nlocal LIBRARY = '{name}'\n{body}")

    def function(self, name: str) -> str:
        """The name under which a function is called: the server wants it unique over all libraries."""
        return f"{self.name}_{name}"


def source() -> str:
    """All parts in their order."""
    folder = resources.files(__package__) / "lua"
    return "\n".join((folder / f"{part}.lua").read_text(encoding="utf-8") for part in PARTS)


def _table(settings: QueueSettings) -> str:
    values = {
        "lease": policy.milliseconds(settings.lease_s),
        "pause": policy.milliseconds(settings.decline_pause_s),
        "load": policy.milliseconds(settings.load_s),
        "dedupe": policy.milliseconds(settings.dedupe_s),
        "forget": policy.milliseconds(settings.forget_s),
        "feed": policy.milliseconds(settings.feed_s),
        "declined_kept": settings.declined_kept,
        "devices": settings.devices,
        "best_shown": policy.BEST_SHOWN,
        "rate_alpha": policy.RATE_ALPHA,
        "most": MOST,
    }
    return "{ " + ", ".join(f"{name} = {value}" for name, value in values.items()) + " }"
