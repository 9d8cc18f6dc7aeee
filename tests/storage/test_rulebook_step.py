"""The step that writes the routing rules of an older house anew."""

import json

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text

from rulebook.document import read
from rulebook.routing import Routing
from storage.database import Database

OLD = '[[rule]]\nqueue = "law"\nskills = { english = 3 }\nmedium = "voice"\npriority = 30\nhours = [9, 17]\n'


@pytest.mark.parametrize(("body", "is_read"), [(OLD, True), ("", True), ("[[rule", False)])
async def test_rules_of_an_older_house_hold_on(database: Database, body: str, is_read: bool) -> None:
    def step(connection: Connection) -> str:
        config = Config()
        config.set_main_option("script_location", "storage:migrations")
        config.attributes["connection"] = connection
        command.downgrade(config, "0008")
        kept = {"body": body}
        connection.execute(text("INSERT INTO policies VALUES ('routing', 1, :body, 'city', CURRENT_TIMESTAMP)"), kept)
        command.upgrade(config, "head")
        return str(connection.execute(text("SELECT body FROM policies WHERE why = ''")).scalar_one())

    async with database.writing() as connection:
        now = await connection.run_sync(step)
    if not is_read:
        assert now == body
        return
    routing = read("routing", Routing, now)
    assert {one.name for one in routing.queues} >= {"general"}
    assert len(routing.rules) == len(json.loads(now)["rules"]) == body.count("[[rule]]")
