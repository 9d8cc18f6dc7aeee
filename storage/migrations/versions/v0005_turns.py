"""Which commit of the archive last changed a session, so that whoever keeps figures reads only what is new."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Count the archive's commits, and note the last one in each session."""
    for table in ("cursors", "sessions"):
        with op.batch_alter_table(table) as batch:
            batch.add_column(sa.Column("turn", sa.Integer, nullable=False, server_default="0"))
        with op.batch_alter_table(table) as batch:
            batch.alter_column("turn", server_default=None)
    op.create_index("ix_sessions_turn_id", "sessions", ["turn", "id"])
    op.create_index("ix_sessions_opened_at", "sessions", ["opened_at"])
    op.create_index("ix_sessions_closed_at", "sessions", ["closed_at"])


def downgrade() -> None:
    """Count no more."""
    for index in ("ix_sessions_closed_at", "ix_sessions_opened_at", "ix_sessions_turn_id"):
        op.drop_index(index, "sessions")
    for table in ("sessions", "cursors"):
        with op.batch_alter_table(table) as batch:
            batch.drop_column("turn")
