"""Accounts in SQL. What proves who somebody is stands apart from who they are: few queries may read it."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    ForeignKeyConstraint,
    Index,
    Integer,
    PrimaryKeyConstraint,
    String,
    Table,
    UniqueConstraint,
)

from storage.metadata import METADATA, Instant

AGENTS = Table(
    "agents",
    METADATA,
    Column("login", String(32), nullable=False),
    Column("name", String(64), nullable=False),
    Column("role", String(16), nullable=False),
    Column("extension", String(8)),
    Column("queues", JSON, nullable=False),
    Column("skills", JSON, nullable=False),
    Column("capacity", JSON, nullable=False),
    Column("disabled", Boolean, nullable=False),
    Column("epoch", Integer, nullable=False),
    PrimaryKeyConstraint("login"),
    UniqueConstraint("extension"),
)
"""`epoch` rises with each change of password, role or standing; logins of an earlier epoch are over."""

PASSWORDS = Table(
    "passwords",
    METADATA,
    Column("login", String(32), nullable=False),
    Column("argon2", String(160), nullable=False),
    PrimaryKeyConstraint("login"),
    ForeignKeyConstraint(["login"], ["agents.login"], ondelete="CASCADE"),
)

SIP_SECRETS = Table(
    "sip_secrets",
    METADATA,
    Column("login", String(32), nullable=False),
    Column("realm", String(128), nullable=False),
    Column("algorithm", String(16), nullable=False),
    Column("ha1", String(64), nullable=False),
    PrimaryKeyConstraint("login", "realm", "algorithm"),
    ForeignKeyConstraint(["login"], ["agents.login"], ondelete="CASCADE"),
)

PRESENCE = Table(
    "presence",
    METADATA,
    Column("id", Integer, nullable=False),
    Column("login", String(32), nullable=False),
    Column("at", Instant, nullable=False),
    Column("presence", String(16), nullable=False),
    Column("reason", String(64), nullable=False),
    PrimaryKeyConstraint("id"),
    Index(None, "login", "at"),
)
"""Appended to, never changed: working time is counted from it."""

AUDIT = Table(
    "audit",
    METADATA,
    Column("id", Integer, nullable=False),
    Column("at", Instant, nullable=False),
    Column("by", String(32), nullable=False),
    Column("deed", String(32), nullable=False),
    Column("on", String(200), nullable=False),
    Column("detail", String(200), nullable=False),
    PrimaryKeyConstraint("id"),
    Index(None, "by", "id"),
    Index(None, "deed", "id"),
)
"""Appended to: triggers of both databases refuse to change or delete a row."""
