"""Who is who, and which sessions each address had a part in."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables of identity; every session is its first address's."""
    op.create_table(
        "addresses",
        sa.Column("lookup", sa.String(64), nullable=False),
        sa.Column("address", sa.String(320), nullable=False),
        sa.Column("person", sa.String(26), nullable=False),
        sa.Column("met_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("lookup", name="pk_addresses"),
    )
    op.create_table(
        "links",
        sa.Column("seq", sa.Integer, nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("link", sa.String(26), nullable=False),
        sa.Column("key", sa.String(64), nullable=False),
        sa.Column("holder", sa.String(64), nullable=False),
        sa.Column("proof", sa.String(16), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("agent", sa.String(64)),
        sa.Column("why", sa.String(256), nullable=False),
        sa.PrimaryKeyConstraint("seq", name="pk_links"),
        sa.UniqueConstraint("link", "kind", name="uq_links_link_kind"),
    )
    op.create_index("ix_links_key", "links", ["key"])
    op.create_index("ix_links_holder", "links", ["holder"])
    op.create_table(
        "session_addresses",
        sa.Column("address", sa.String(320), nullable=False),
        sa.Column("session", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("address", "session", name="pk_session_addresses"),
    )
    op.execute("INSERT INTO session_addresses (address, session) SELECT citizen, id FROM sessions")


def downgrade() -> None:
    """Drop them."""
    for table in ("session_addresses", "links", "addresses"):
        op.drop_table(table)
