"""Agents, what they prove themselves by, and the log of their presence."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables of accounts."""
    op.create_table(
        "agents",
        sa.Column("login", sa.String(32), nullable=False),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("extension", sa.String(8)),
        sa.Column("queues", sa.JSON, nullable=False),
        sa.Column("skills", sa.JSON, nullable=False),
        sa.Column("capacity", sa.JSON, nullable=False),
        sa.Column("disabled", sa.Boolean, nullable=False),
        sa.Column("epoch", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("login", name="pk_agents"),
        sa.UniqueConstraint("extension", name="uq_agents_extension"),
    )
    op.create_table(
        "passwords",
        sa.Column("login", sa.String(32), nullable=False),
        sa.Column("argon2", sa.String(160), nullable=False),
        sa.PrimaryKeyConstraint("login", name="pk_passwords"),
        sa.ForeignKeyConstraint(["login"], ["agents.login"], name="fk_passwords_login_agents", ondelete="CASCADE"),
    )
    op.create_table(
        "sip_secrets",
        sa.Column("login", sa.String(32), nullable=False),
        sa.Column("realm", sa.String(128), nullable=False),
        sa.Column("algorithm", sa.String(16), nullable=False),
        sa.Column("ha1", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("login", "realm", "algorithm", name="pk_sip_secrets"),
        sa.ForeignKeyConstraint(["login"], ["agents.login"], name="fk_sip_secrets_login_agents", ondelete="CASCADE"),
    )
    op.create_table(
        "presence",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("login", sa.String(32), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("presence", sa.String(16), nullable=False),
        sa.Column("reason", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_presence"),
    )
    op.create_index("ix_presence_login_at", "presence", ["login", "at"])


def downgrade() -> None:
    """Drop them."""
    for table in ("presence", "sip_secrets", "passwords", "agents"):
        op.drop_table(table)
