"""What a person may do, by rank."""

from __future__ import annotations

from enum import StrEnum


class Role(StrEnum):
    """Each may do all that those before it may."""

    AGENT = "agent"
    """话务员"""
    SUPERVISOR = "supervisor"
    """班长"""
    ADMINISTRATOR = "administrator"
    """管理员"""


_RANK = {role: rank for rank, role in enumerate(Role)}


def allows(role: Role, needed: Role) -> bool:
    """Whether who has `role` may do what needs `needed`."""
    return _RANK[role] >= _RANK[needed]
