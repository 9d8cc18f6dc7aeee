"""Announcements and music of the operator's own."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """A table of them."""
    op.create_table(
        "prompts",
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("sound", sa.LargeBinary, nullable=True),
        sa.Column("duration_s", sa.Float, nullable=False),
        sa.Column("file", sa.String(255), nullable=False),
        sa.Column("author", sa.String(64), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_prompts"),
        sa.UniqueConstraint("version", name="uq_prompts_version"),
    )


def downgrade() -> None:
    """The product's own are heard again."""
    op.drop_table("prompts")
