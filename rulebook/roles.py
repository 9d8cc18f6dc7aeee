"""What people may do (角色与权限): a role is a name and a set of permissions, of a closed list. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated

from msgspec import Meta

from rulebook.document import Document, Line, Title, once

RoleName = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9._-]{0,15}\Z")]


class Permission(StrEnum):
    """What not everybody may who is logged in; each route and act asks for one. The values are promises."""

    SEE_ALL = "see_all"
    """Sessions and recordings of others."""
    SUPERVISE = "supervise"
    """Listen, whisper, join, take over."""
    WALLBOARD = "wallboard"
    """The figures of all."""
    FORCE = "force"
    """Put an agent's presence, with a reason."""
    BROADCAST = "broadcast"
    """A word to every desk."""
    TRACES = "traces"
    """How calls went on the wire."""
    CAPTURES = "captures"
    """Their packets, as they were: whoever reads them reads what was said."""
    RULES = "rules"
    """All documents but those of accounts."""
    ACCOUNTS = "accounts"
    """Agents, their passwords, and roles: whoever has this can come to have every other."""
    AUDIT = "audit"
    """Who did what."""


_SUPERVISOR = frozenset({
    Permission.SEE_ALL, Permission.SUPERVISE, Permission.WALLBOARD, Permission.FORCE, Permission.BROADCAST,
    Permission.TRACES,
})  # fmt: skip
BUILT_IN: Mapping[str, frozenset[Permission]] = {
    "agent": frozenset(),
    "supervisor": _SUPERVISOR,
    "administrator": frozenset(Permission),
}
"""话务员, 班长, 管理员: always there, and always these."""


class RoleEntry(Document, frozen=True):
    """One that a city has made."""

    name: RoleName
    title: Title
    english: Line = ""
    permissions: Annotated[tuple[Permission, ...], Meta(max_length=len(Permission))] = ()

    def __post_init__(self) -> None:
        once((one.value for one in self.permissions), "permission")
        if self.name in BUILT_IN:
            raise ValueError(f"the role {self.name!r} is built in, and cannot be another")


class Roles(Document, frozen=True):
    """Those besides the built-in ones."""

    roles: Annotated[tuple[RoleEntry, ...], Meta(max_length=100)] = ()

    def __post_init__(self) -> None:
        once((one.name for one in self.roles), "role")

    def permissions(self, role: str) -> frozenset[Permission]:
        """What this role may; nothing for one that is no more."""
        made = next((frozenset(one.permissions) for one in self.roles if one.name == role), frozenset[Permission]())
        return BUILT_IN.get(role, made)

    def has(self, role: str) -> bool:
        """Whether there is such a role."""
        return role in BUILT_IN or any(one.name == role for one in self.roles)
