"""One person who answers, as their account describes them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from accounts.errors import AgentMalformed
from accounts.role import Role
from session.ids import AssigneeId
from session.state import Medium, Skill

_LOGIN = re.compile(r"[a-z0-9][a-z0-9._-]{0,31}\Z")
_EXTENSION = re.compile(r"[0-9]{2,8}\Z")
_ROLE = re.compile(r"[a-z0-9][a-z0-9._-]{0,15}\Z")
_WORD = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}\Z")
_LONGEST_NAME = 64
_MOST_WORDS = 64
_MOST_AT_ONCE = 100


@dataclass(frozen=True, slots=True)
class Agent:
    """Raises `AgentMalformed` for what cannot be."""

    login: AssigneeId
    name: str
    role: str = Role.AGENT
    """What they may do goes by it."""
    extension: str | None = None
    """Of their telephone; None for one who works without."""
    queues: tuple[str, ...] = ()
    skills: tuple[Skill, ...] = ()
    capacity: Mapping[Medium, int] = field(default_factory=lambda: {Medium.VOICE: 1, Medium.CHAT: 3})
    """Sessions at once, by medium."""
    disabled: bool = False

    def __post_init__(self) -> None:
        _hold(bool(_LOGIN.match(self.login)), "login", "1 to 32 of a-z, 0-9, dot, underscore and hyphen")
        _hold(0 < len(self.name) <= _LONGEST_NAME and self.name.isprintable(), "name", "1 to 64 printable characters")
        _hold(bool(_ROLE.match(self.role)), "role", "1 to 16 of a-z, 0-9, dot, underscore and hyphen")
        _hold(self.extension is None or bool(_EXTENSION.match(self.extension)), "extension", "2 to 8 digits")
        words = [*self.queues, *(skill.name for skill in self.skills)]
        _hold(all(map(_WORD.match, words)) and len(words) <= _MOST_WORDS, "queues and skills", "short names in a-z")
        _hold(all(1 <= skill.level <= 10 for skill in self.skills), "skills", "of level 1 to 10")
        _hold(all(0 <= most <= _MOST_AT_ONCE for most in self.capacity.values()), "capacity", "0 to 100 at once")


def _hold(fits: bool, name: str, wanted: str) -> None:
    if not fits:
        raise AgentMalformed(name, wanted)
