"""Whether the citizen says that the matter is solved, in the session's row: figures are summed over it."""

import msgpack
import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Take over what was said before, from the events: there it has stood all along."""
    op.add_column("sessions", sa.Column("solved", sa.Boolean))
    events = sa.table("events", sa.column("session"), sa.column("version"), sa.column("tag"), sa.column("body"))
    sessions = sa.table("sessions", sa.column("id"), sa.column("solved", sa.Boolean))
    connection = op.get_bind()
    ratings = sa.select(events).where(events.c.tag == "rating.given").order_by(events.c.session, events.c.version)
    for row in connection.execute(ratings).fetchall():
        solved = msgpack.unpackb(row.body)[2].get("solved")
        if solved is not None:
            connection.execute(sa.update(sessions).where(sessions.c.id == row.session).values(solved=solved))


def downgrade() -> None:
    """It stands in the events still."""
    with op.batch_alter_table("sessions") as batch:
        batch.drop_column("solved")
