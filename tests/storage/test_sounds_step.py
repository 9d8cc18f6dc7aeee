"""The step that makes the sounds of an older house a document of the rulebook."""

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text

from rulebook.document import read
from rulebook.prompts import Prompts
from storage.database import Database
from storage.sounds import Sounds

OLD = "INSERT INTO prompts VALUES (:name, :version, :sound, 1.5, 'a.wav', 'city', CURRENT_TIMESTAMP)"


async def test_what_callers_of_an_older_house_heard_they_hear_on(database: Database) -> None:
    def step(connection: Connection) -> str:
        config = Config()
        config.set_main_option("script_location", "storage:migrations")
        config.attributes["connection"] = connection
        command.downgrade(config, "0011")
        for version, (name, sound) in enumerate((("welcome", b"RIFF"), ("goodbye", b"RIFF"), ("beep", None)), 1):
            connection.execute(text(OLD), {"name": name, "version": version, "sound": sound})
        command.upgrade(config, "head")
        return str(connection.execute(text("SELECT body FROM policies WHERE kind = 'prompts'")).scalar_one())

    async with database.writing() as connection:
        body = await connection.run_sync(step)
    pieces = read("prompts", Prompts, body).pieces
    assert [(one.name, one.file, one.seconds) for one in pieces] == [
        ("welcome", "a.wav", 1.5),
        ("goodbye", "a.wav", 1.5),
    ]
    assert await Sounds(database).read(pieces[0].sound) == b"RIFF"
