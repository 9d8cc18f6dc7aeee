"""The log of identity in SQL. Addresses are found by a keyed index, so that a copy of the tables answers no question
about a number without the machine's pepper; beside it stands what agents are shown.
"""

from __future__ import annotations

from sqlalchemy import Column, Index, Integer, PrimaryKeyConstraint, String, Table, UniqueConstraint

from storage.metadata import METADATA, Instant

ADDRESSES = Table(
    "addresses",
    METADATA,
    Column("lookup", String(64), nullable=False),
    Column("address", String(320), nullable=False),
    Column("person", String(26), nullable=False),
    Column("met_at", Instant, nullable=False),
    PrimaryKeyConstraint("lookup"),
)
"""Whose each address is when nothing links it. Added to, never changed."""

LINKS = Table(
    "links",
    METADATA,
    Column("seq", Integer, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("link", String(26), nullable=False),
    Column("key", String(64), nullable=False),
    Column("holder", String(64), nullable=False),
    Column("proof", String(16), nullable=False),
    Column("at", Instant, nullable=False),
    Column("agent", String(64)),
    Column("why", String(256), nullable=False),
    PrimaryKeyConstraint("seq"),
    UniqueConstraint("link", "kind"),
    Index(None, "key"),
    Index(None, "holder"),
)
"""What has linked and parted them (`kind`: linked, undone, claimed). Appended to, never changed.

`key` and `holder` are lookups, also of an undoing: so one question by an address finds all that was said of it."""
