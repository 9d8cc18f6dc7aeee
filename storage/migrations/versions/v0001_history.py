"""Sessions, their events, and how far the archive has come."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Make the tables of the history."""
    op.create_table(
        "sessions",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("citizen", sa.String(320), nullable=False),
        sa.Column("number", sa.String(64), nullable=False),
        sa.Column("queue", sa.String(64), nullable=False),
        sa.Column("phase", sa.String(32), nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("opened_at", _TIME, nullable=False),
        sa.Column("answered_at", _TIME),
        sa.Column("closed_at", _TIME),
        sa.Column("close_reason", sa.String(32)),
        sa.Column("assignee", sa.String(64)),
        sa.Column("assignee_kind", sa.String(16)),
        sa.Column("accrued_wait_s", sa.Double, nullable=False),
        sa.Column("offers", sa.Integer, nullable=False),
        sa.Column("contact_kind", sa.String(64)),
        sa.Column("rating", sa.Integer),
        sa.Column("state", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_sessions"),
    )
    op.create_index("ix_sessions_citizen_id", "sessions", ["citizen", "id"])
    op.create_index("ix_sessions_assignee_id", "sessions", ["assignee", "id"])
    op.create_table(
        "events",
        sa.Column("session", sa.String(64), nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("at", _TIME, nullable=False),
        sa.Column("tag", sa.String(64), nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("session", "version", name="pk_events"),
    )
    cursors = op.create_table(
        "cursors",
        sa.Column("name", sa.String(32), nullable=False),
        sa.Column("position", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_cursors"),
    )
    # There from the start, so that moving it is one compare-and-set: `storage.history`.
    op.bulk_insert(cursors, [{"name": "archive", "position": "0"}])


def downgrade() -> None:
    """Drop them."""
    op.drop_table("cursors")
    op.drop_table("events")
    op.drop_table("sessions")
