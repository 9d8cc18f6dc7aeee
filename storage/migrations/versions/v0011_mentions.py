"""Who was called to a session by a colleague's note, and whether they have looked."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table. What the note says stays where it is, among the events."""
    op.create_table(
        "mentions",
        sa.Column("login", sa.String(32), nullable=False),
        sa.Column("session", sa.String(64), nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("seen", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("login", "session", "version", name="pk_mentions"),
    )
    op.create_index("ix_mentions_login_seen", "mentions", ["login", "seen"])


def downgrade() -> None:
    """Drop it."""
    op.drop_table("mentions")
