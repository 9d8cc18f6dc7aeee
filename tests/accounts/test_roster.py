"""Agents in SQL, on both databases."""

from dataclasses import replace

import pytest
from sqlalchemy import text

from accounts.agent import Agent
from accounts.errors import AgentMalformed, AgentTaken, AgentUnknown, PasswordRefused
from accounts.passwords import Passwords
from accounts.presence import PresenceLog, PresenceNote
from accounts.role import Role
from accounts.roster import Roster, ha1
from session.ids import AssigneeId
from session.state import Medium, Skill
from storage.database import Database
from tests.accounts.conftest import PASSWORD, WANG
from tests.storage.conftest import database, database_url

__all__ = ["database", "database_url"]

LI = Agent(
    AssigneeId("li"),
    "李强",
    Role.SUPERVISOR,
    "8002",
    ("general", "complaints"),
    (Skill("en", 6), Skill("zh", 10)),
    {Medium.VOICE: 1, Medium.MESSAGE: 5},
)


async def test_agents_come_back_as_they_were(roster: Roster, wang: Agent) -> None:
    await roster.add(LI, PASSWORD)
    assert await roster.agents() == [LI, wang]
    assert await roster.agent(LI.login) == LI
    assert await roster.agent(AssigneeId("nobody")) is None
    assert await roster.extension_of(LI.login) == "8002"
    assert await roster.extension_of(AssigneeId("nobody")) is None


async def test_login_and_extension_are_one_persons(roster: Roster, wang: Agent) -> None:
    for other in (replace(LI, login=wang.login), replace(LI, extension=wang.extension)):
        with pytest.raises(AgentTaken):
            await roster.add(other, PASSWORD)
    await roster.add(LI, PASSWORD)
    with pytest.raises(AgentTaken):
        await roster.change(replace(LI, extension=wang.extension))
    assert await roster.agent(LI.login) == LI


async def test_many_may_have_no_telephone(roster: Roster) -> None:
    for login in ("a", "b"):
        await roster.add(Agent(AssigneeId(login), login), PASSWORD)
    assert len(await roster.agents()) == 2


async def test_a_password_fits_its_owner_alone(roster: Roster, wang: Agent) -> None:
    assert await roster.verified(wang.login, PASSWORD) == (wang, 1)
    assert await roster.verified(wang.login, PASSWORD + "x") is None
    assert await roster.verified(wang.login, "") is None
    assert await roster.verified("nobody", PASSWORD) is None
    await roster.change(replace(wang, disabled=True))
    assert await roster.verified(wang.login, PASSWORD) is None


async def test_a_new_password_ends_the_old_one(roster: Roster, wang: Agent) -> None:
    await roster.set_password(wang.login, "another password")
    assert await roster.verified(wang.login, PASSWORD) is None
    assert await roster.verified(wang.login, "another password") == (wang, 2)
    with pytest.raises(AgentUnknown):
        await roster.set_password(AssigneeId("nobody"), "another password")
    for bad in ("short", "x" * 257):
        with pytest.raises(PasswordRefused):
            await roster.set_password(wang.login, bad)


async def test_passwords_are_kept_as_argon2id_alone(
    costly: Passwords, roster: Roster, wang: Agent, database: Database
) -> None:
    async with database.reading() as connection:
        kept = await connection.scalar(text("SELECT argon2 FROM passwords"))
        tables = await connection.execute(text("SELECT * FROM agents"))
        assert PASSWORD not in str(tables.all())
    assert str(kept).startswith("$argon2id$v=19$m=47104,t=2,p=1$")


async def test_a_telephone_proves_itself_by_ha1(roster: Roster, wang: Agent) -> None:
    credential = await roster.credential("8001")
    assert credential is not None
    assert (credential.login, credential.realm) == (wang.login, "yihao")
    assert credential.ha1 == ha1("8001", "yihao", "sip secret")
    assert await roster.credential("8009") is None
    await roster.set_sip_password(wang.login, "new secret")
    credential = await roster.credential("8001")
    assert credential is not None
    assert credential.ha1 == ha1("8001", "yihao", "new secret")


def test_ha1_is_that_of_the_rfc() -> None:
    """RFC 7616, section 3.9.1: A1 of Mufasa; the hashes follow from its worked example's responses."""
    from hashlib import md5, sha256

    made = ha1("Mufasa", "http-auth@example.org", "Circle of Life")
    nonce, nc, cnonce = (
        "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
        "00000001",
        "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
    )
    expected = {
        "MD5": (md5, "8ca523f5e9506fed4657c9700eebdbec"),
        "SHA-256": (sha256, "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    }
    for algorithm, (hashed, response) in expected.items():
        a2 = hashed(b"GET:/dir/index.html").hexdigest()
        assert hashed(f"{made[algorithm]}:{nonce}:{nc}:{cnonce}:auth:{a2}".encode()).hexdigest() == response


async def test_a_telephones_secret_is_void_without_its_owner(
    roster: Roster, wang: Agent, database: Database, passwords: Passwords
) -> None:
    assert await Roster(database, passwords, realm="elsewhere").credential("8001") is None
    await roster.change(replace(wang, disabled=True))
    assert await roster.credential("8001") is None
    await roster.change(replace(wang, extension="8011"))
    assert await roster.credential("8011") is None
    with pytest.raises(AgentUnknown):
        await roster.change(LI)


@pytest.mark.parametrize(
    "changed",
    [
        {"login": "Wang Fang"},
        {"login": ""},
        {"name": ""},
        {"name": "a\nb"},
        {"extension": "one"},
        {"queues": ("General Affairs",)},
        {"skills": (Skill("zh", 11),)},
        {"capacity": {Medium.VOICE: -1}},
        {"role": "Chief"},
        {"role": "x" * 17},
    ],
)
def test_what_cannot_be_is_no_agent(changed: dict[str, object]) -> None:
    with pytest.raises(AgentMalformed):
        replace(WANG, **changed)  # type: ignore[arg-type]  # any field


async def test_presence_is_read_back_with_what_was_in_force_before(database: Database) -> None:
    log = PresenceLog(database)
    notes = [
        PresenceNote(AssigneeId("wang"), 10.0, "ready"),
        PresenceNote(AssigneeId("wang"), 20.0, "break", "午餐"),
        PresenceNote(AssigneeId("li"), 25.0, "ready"),
        PresenceNote(AssigneeId("wang"), 30.0, "ready"),
        PresenceNote(AssigneeId("wang"), 40.0, "off", "下班"),
    ]
    for note in notes:
        await log.append(note)
    assert await log.between(AssigneeId("wang"), 25.0, 40.0) == [notes[1], notes[3]]
    assert await log.between(AssigneeId("wang"), 0.0, 99.0) == [note for note in notes if note.login == "wang"]
