"""The first start makes agents; later ones keep them."""

import asyncio
import json
import stat
from pathlib import Path

import pytest

from accounts.agent import Agent
from accounts.demo import FILE_NAME, seed_demo
from accounts.errors import CredentialsUnreadable
from accounts.passwords import generate_password
from accounts.roster import Roster, ha1
from session.state import Medium
from tests.accounts.conftest import PASSWORD

QUEUES = ("general",)


async def test_the_file_holds_what_opens(roster: Roster, tmp_path: Path) -> None:
    path = await seed_demo(roster, tmp_path, QUEUES)
    assert path == tmp_path / FILE_NAME
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    made = json.loads(path.read_text())
    assert [one["extension"] for one in made] == ["8001", "8002", "8003", "8004", "8009"]
    for one in made:
        assert set(one) == {"login", "password", "extension", "sip_password"}
        assert await roster.verified(one["login"], one["password"]) is not None
        credential = await roster.credential(one["extension"])
        assert credential is not None
        assert credential.ha1 == ha1(one["extension"], "yihao", one["sip_password"])
    secrets = [one[name] for one in made for name in ("password", "sip_password")]
    assert len(set(secrets)) == 10
    for agent in (await roster.agents())[:2]:
        assert agent.capacity[Medium.VOICE] == 1
        assert agent.capacity[Medium.CHAT] >= 2
        assert agent.queues == QUEUES


async def test_later_starts_keep_them(roster: Roster, tmp_path: Path) -> None:
    await seed_demo(roster, tmp_path, QUEUES)
    before = (tmp_path / FILE_NAME).read_text()
    await roster.set_password((await roster.agents())[0].login, "changed by hand")
    assert await seed_demo(roster, tmp_path, QUEUES) == tmp_path / FILE_NAME
    assert (tmp_path / FILE_NAME).read_text() == before
    assert await roster.verified("8001", "changed by hand") is not None


async def test_a_start_that_died_midway_is_gone_on_with(roster: Roster, tmp_path: Path) -> None:
    from accounts import demo

    demo._write_once(tmp_path / FILE_NAME, demo.demo_agents(QUEUES))
    kept = json.loads((tmp_path / FILE_NAME).read_text())
    await roster.add(demo.demo_agents(QUEUES)[0], kept[0]["password"])
    await seed_demo(roster, tmp_path, QUEUES)
    assert len(await roster.agents()) == 5
    assert await roster.verified("8004", kept[3]["password"]) is not None


async def test_nodes_that_start_at_once_agree(roster: Roster, tmp_path: Path) -> None:
    await asyncio.gather(*(seed_demo(roster, tmp_path, QUEUES) for _ in range(2)))
    for one in json.loads((tmp_path / FILE_NAME).read_text()):
        assert await roster.verified(one["login"], one["password"]) is not None


async def test_nothing_is_made_beside_agents_of_your_own(roster: Roster, wang: Agent, tmp_path: Path) -> None:
    assert await seed_demo(roster, tmp_path, QUEUES) is None
    assert await roster.agents() == [wang]
    assert not (tmp_path / FILE_NAME).exists()


async def test_a_spoiled_file_stops_the_start(roster: Roster, tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_text("[{}]")
    with pytest.raises(CredentialsUnreadable):
        await seed_demo(roster, tmp_path, QUEUES)


def test_generated_passwords_can_be_read_aloud() -> None:
    made = {generate_password() for _ in range(200)}
    assert len(made) == 200
    assert not set("".join(made)) & set("0O1lI")
    assert min(map(len, made)) > len(PASSWORD) / 2
