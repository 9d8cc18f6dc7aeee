"""What a desk's telephone registers with: for an hour, for its own extension, made by nobody else."""

from accounts.roster import Roster, ha1
from gateway.desk_telephone import LIFE_S, DeskTelephones
from session.ids import AssigneeId
from session.ports import Credential

KNOWN = Credential(AssigneeId("li"), "8001", "yihao", {"MD5": "its own"})


class OneAgent(Roster):
    """A roster of one."""

    def __init__(self) -> None:
        pass

    async def credential(self, extension: str) -> Credential | None:
        return KNOWN if extension == "8001" else None

    async def extension_of(self, assignee: AssigneeId) -> str | None:
        return "8001" if assignee == "li" else None


async def test_a_login_lasts_an_hour() -> None:
    now = [1000.0]
    telephones = DeskTelephones(OneAgent(), "yihao", b"secret", lambda: now[0])
    lent = await telephones.lend(AssigneeId("li"))
    assert lent is not None
    given = await telephones.credential(lent.username)
    assert given is not None
    assert (given.login, given.extension) == ("li", "8001")
    assert given.ha1 == ha1(lent.username, "yihao", lent.password)
    now[0] += LIFE_S + 1
    assert await telephones.credential(lent.username) is None


async def test_nobody_else_makes_one() -> None:
    telephones = DeskTelephones(OneAgent(), "yihao", b"secret", lambda: 0.0)
    other = DeskTelephones(OneAgent(), "yihao", b"another", lambda: 0.0)
    lent = await other.lend(AssigneeId("li"))
    assert lent is not None
    given = await telephones.credential(lent.username)
    assert given is not None
    assert given.ha1 != ha1(lent.username, "yihao", lent.password)
    for wrong in ("8009.99999", "8001.", "8001.x", "8001.-5", "8001." + "9" * 40, ".", "8001.٣"):
        assert await telephones.credential(wrong) is None
    assert await telephones.lend(AssigneeId("nobody")) is None
    assert await telephones.credential("8001") == KNOWN
