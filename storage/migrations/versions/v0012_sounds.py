"""Sounds under what they are, and which of them is heard as a document of the rulebook."""

import hashlib
import json
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Take over what callers hear as the first version."""
    sounds = op.create_table(
        "sounds",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("sound", sa.LargeBinary, nullable=False),
        *_facts(),
        sa.PrimaryKeyConstraint("id", name="pk_sounds"),
    )
    connection = op.get_bind()
    prompts = sa.Table("prompts", sa.MetaData(), autoload_with=connection)
    pieces: dict[str, dict[str, Any]] = {}
    kept: set[str] = set()
    last = None
    for row in connection.execute(sa.select(prompts).where(prompts.c.sound.is_not(None)).order_by(prompts.c.version)):
        sound = hashlib.sha256(row.sound).hexdigest()[:32]
        facts = {"duration_s": row.duration_s, "file": row.file, "author": row.author, "at": row.at}
        if sound not in kept:
            connection.execute(sa.insert(sounds).values(id=sound, sound=row.sound, **facts))
        kept.add(sound)
        told = {"sound": sound, "file": row.file or row.name, "seconds": round(row.duration_s, 1)}
        pieces[row.name] = {**told, "name": row.name}
        last = row
    if last is not None:
        body = json.dumps({"pieces": list(pieces.values()), "notices": []}, ensure_ascii=False, indent=2)
        policies = sa.Table("policies", sa.MetaData(), autoload_with=connection)
        version = {
            "kind": "prompts",
            "version": 1,
            "body": body,
            "author": last.author,
            "at": last.at,
            "why": "as it was",
        }
        connection.execute(sa.insert(policies).values(**version))
    op.drop_table("prompts")


def downgrade() -> None:
    """The product's own are heard again."""
    policies = sa.table("policies", sa.column("kind", sa.String))
    op.execute(sa.delete(policies).where(policies.c.kind == "prompts"))
    op.create_table(
        "prompts",
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("sound", sa.LargeBinary, nullable=True),
        *_facts(),
        sa.PrimaryKeyConstraint("name", name="pk_prompts"),
        sa.UniqueConstraint("version", name="uq_prompts_version"),
    )
    op.drop_table("sounds")


def _facts() -> list[sa.Column[Any]]:
    return [
        sa.Column("duration_s", sa.Float, nullable=False),
        sa.Column("file", sa.String(255), nullable=False),
        sa.Column("author", sa.String(64), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
    ]
