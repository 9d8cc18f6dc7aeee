"""The roles that are always there; what each may, and which others there are, the rulebook says."""

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
