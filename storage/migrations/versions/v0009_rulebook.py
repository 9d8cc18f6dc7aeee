"""Why a version was written; and routing rules as JSON, with the queues and skills that they name, as all kinds are."""

import json
import tomllib
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_TITLES = {"general": ("综合", "General"), "english": ("英语", "English")}


def upgrade() -> None:
    """Add the reason, and write the routing rules anew."""
    with op.batch_alter_table("policies") as batch:
        batch.add_column(sa.Column("why", sa.String(200), nullable=False, server_default=""))
    with op.batch_alter_table("policies") as batch:
        batch.alter_column("why", server_default=None)
    policies = sa.table("policies", *(sa.column(name) for name in ("kind", "version", "body")))
    connection = op.get_bind()
    for row in connection.execute(sa.select(policies).where(policies.c.kind == "routing")).all():
        try:
            body = _as_json(tomllib.loads(row.body))
        except (tomllib.TOMLDecodeError, KeyError, TypeError, AttributeError):
            continue  # it was never in force, and can still be looked at
        connection.execute(
            sa.update(policies).where(policies.c.kind == "routing", policies.c.version == row.version).values(body=body)
        )


def _as_json(toml: dict[str, Any]) -> str:
    rules = toml.get("rule", [])
    queues = dict.fromkeys([*(str(rule["queue"]) for rule in rules), "general"])
    skills = dict.fromkeys(name for rule in rules for name in rule.get("skills", {}))
    return json.dumps(
        {
            "queues": [_named(name) for name in queues],
            "skills": [_named(name) for name in skills],
            "rules": rules,
        },
        ensure_ascii=False,
        indent=2,
    )


def _named(name: str) -> dict[str, str]:
    title, english = _TITLES.get(name, (name, ""))
    return {"name": name, "title": title, "english": english}


def downgrade() -> None:
    """Forget the reasons. What was written meanwhile no earlier release can read: its own rules come first again."""
    policies = sa.table("policies", sa.column("kind"))
    op.execute(sa.delete(policies))
    with op.batch_alter_table("policies") as batch:
        batch.drop_column("why")
