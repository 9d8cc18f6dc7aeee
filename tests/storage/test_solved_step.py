"""The step that puts into the rows what citizens have said of their matters all along."""

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text

from session import events as ev
from session.ids import SessionId
from storage.database import Database
from storage.history import History
from tests.session.stories import STORIES, stamped
from tests.storage.live_log import entries_of

SAID = {"01A": True, "01B": False, "01C": None}


async def test_what_was_said_before_counts(database: Database) -> None:
    history = History(database)
    for session, solved in SAID.items():
        story = [*stamped(STORIES["call abandoned"]), ev.RatingGiven(at=1e9, score=5, solved=solved)]
        entries = entries_of(SessionId(session), story)
        await history.archive(entries, since=await history.cursor(), upto=session)

    def step(connection: Connection) -> None:
        config = Config()
        config.set_main_option("script_location", "storage:migrations")
        config.attributes["connection"] = connection
        command.downgrade(config, "0012")
        assert not [row for row in connection.execute(text("SELECT * FROM sessions")) if "solved" in row._fields]
        command.upgrade(config, "head")

    async with database.writing() as connection:
        await connection.run_sync(step)
    assert {one.session.id: one.solved for one in await history.recent()} == SAID
