"""Calls that come while the store is away: kept in order, never forgotten, whoever ends them and however."""

import asyncio
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from channels.phone import incoming_bridge
from channels.phone.adapter import PhoneChannel
from channels.phone.journal import Journal
from media.announcement import PIECES
from media.g711 import Law
from media.prompts import PromptLibrary
from session.events import LegClosed
from session.state import LegEnd
from tests.channels.phone.conftest import OpenPhone
from tests.channels.phone.core import Core
from tests.channels.phone.telephone import Telephone
from tests.channels.phone.test_sound import Ear
from tests.conftest import Eventually

NUMBER = "13800138000"
ASSERTED = (f"P-Asserted-Identity: <tel:+86{NUMBER}>",)


KEPT, MUSIC = 0x2A, 0x55


@pytest.fixture
def prompts() -> PromptLibrary:
    """Every piece a tenth of a second of music, but for the one that says that a caller is kept."""
    pieces = {name: dict.fromkeys(Law, bytes([MUSIC]) * 800) for name in PIECES}
    return PromptLibrary(pieces | {"store_down": dict.fromkeys(Law, bytes([KEPT]) * 800)})


def noted(folder: Path) -> str:
    return "".join(file.read_text() for file in folder.glob("*"))


async def test_store_away_keeps_calls_in_order_and_posts_them_with_their_true_arrival(
    phone: PhoneChannel, core: Core, eventually: Eventually, tmp_path: Path
) -> None:
    core.is_away = True
    async with Telephone(phone.bound) as one, Telephone(phone.bound, user="two") as two:
        before = time.time()
        assert (await one.call()).answer.status == 200
        between = time.time()
        assert (await two.call()).answer.status == 200
        assert core.contacts == []
        core.is_away = False
        await eventually(lambda: len(core.contacts) == 2)
        first, second = core.contacts
        assert before <= (first.arrived_at or 0) <= between <= (second.arrived_at or 0)
        assert str(first.address).startswith("sip:caller@")
        await eventually(lambda: noted(tmp_path / "debts") == "")
        assert core.said(LegClosed) == []


async def test_who_is_kept_hears_so_again(
    phone: PhoneChannel, core: Core, eventually: Eventually, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(incoming_bridge, "_SAID_AGAIN_S", 0.5)
    core.is_away = True
    ear = Ear(0x31)
    hearing = asyncio.create_task(ear.run())

    def hears_music_alone() -> bool:
        heard, ear.heard = ear.heard, set()
        return heard == {MUSIC}

    async with Telephone(phone.bound) as caller:
        caller.offer = lambda: ear.sdp  # type: ignore[method-assign]  # this caller says where its sound goes
        await caller.call()
        for _ in range(2):
            await eventually(lambda: KEPT in ear.heard, deadline_s=15)
            await eventually(hears_music_alone, deadline_s=15)
        core.is_away = False
        await eventually(lambda: len(core.contacts) == 1)
    hearing.cancel()
    await asyncio.gather(hearing, return_exceptions=True)
    ear.socket.close()


async def test_a_kept_call_is_on_disk_before_it_is_answered(
    phone: PhoneChannel, core: Core, eventually: Eventually, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A node that is killed in the moment in which it has answered owes them a call."""
    core.is_away = True
    append, begun, may_go_on = Journal.append, threading.Event(), threading.Event()

    def slow(journal: Journal, lines: Sequence[bytes]) -> None:
        begun.set()
        may_go_on.wait(10)
        append(journal, lines)

    monkeypatch.setattr(Journal, "append", slow)
    async with Telephone(phone.bound) as caller:
        calling = asyncio.create_task(caller.call(extra=ASSERTED))
        await eventually(begun.is_set, deadline_s=15)
        caller.send(caller.compose("OPTIONS"))
        await caller.response("OPTIONS")
        assert not calling.done(), "what was sent before has come before"
        may_go_on.set()
        assert (await calling).answer.status == 200
        assert NUMBER in noted(tmp_path / "debts")
        for path in (tmp_path / "debts", *(tmp_path / "debts").glob("*")):
            assert path.stat().st_mode & 0o077 == 0


async def test_kept_caller_who_hangs_up_is_told_of_when_the_store_is_back(
    phone: PhoneChannel, core: Core, eventually: Eventually
) -> None:
    """So that whoever gave up counts as one who gave up."""
    core.is_away = True
    async with Telephone(phone.bound) as caller:
        before = time.time()
        call = await caller.call()
        after = time.time()
        call.bye()
        await caller.response("BYE")
        await eventually(lambda: phone.calls == 0)
        assert core.contacts == []
        core.is_away = False
        await eventually(lambda: core.closed() == [("call", LegEnd.HANGUP)])
        (contact,) = core.contacts
        assert before <= (contact.arrived_at or 0) <= after
        assert contact.first == core.said(LegClosed)[0], "they could be rung for before it is known that they are gone"


async def test_kept_too_long_is_owed_and_the_core_gets_it_later(
    open_phone: OpenPhone, core: Core, eventually: Eventually, tmp_path: Path
) -> None:
    core.is_away = True
    async with open_phone(kept_call_s=0.3) as phone, Telephone(phone.bound) as caller:
        await caller.call(extra=ASSERTED)
        await caller.request("BYE")
        assert NUMBER in noted(tmp_path / "debts")
        core.is_away = False
        await eventually(lambda: core.closed() == [("call", LegEnd.NODE_LOST)])
        await eventually(lambda: noted(tmp_path / "debts") == "")
        assert str(core.contacts[0].address) == f"tel:+86{NUMBER}"


async def test_what_an_earlier_run_owed_is_brought_to_the_core(
    open_phone: OpenPhone, core: Core, eventually: Eventually, tmp_path: Path
) -> None:
    core.is_away = True
    async with open_phone() as phone, Telephone(phone.bound) as kept, Telephone(phone.bound) as gone:
        await kept.call()
        (await gone.call()).bye()
        await gone.response("BYE")
        await eventually(lambda: phone.calls == 1)
    core.is_away = False
    async with open_phone():
        await eventually(lambda: core.closed() == [("call", LegEnd.NODE_LOST), ("call", LegEnd.HANGUP)])
        await eventually(lambda: list((tmp_path / "debts").glob("*")) == [])


async def test_one_who_left_while_the_store_made_up_its_mind_is_not_left_open(
    open_phone: OpenPhone, core: Core, eventually: Eventually
) -> None:
    core.is_away = True
    async with open_phone(store_patience_s=5.0) as phone, Telephone(phone.bound) as caller:
        call = await caller.call()
        core.opens.clear()
        core.is_away = False
        asked = core.asked
        await eventually(lambda: core.asked > asked)
        call.bye()
        await caller.response("BYE")
        await eventually(lambda: phone.calls == 0)
        core.opens.set()
        await eventually(lambda: core.closed() == [("call", LegEnd.HANGUP)])
        assert len(core.contacts) == 1


async def test_a_call_that_waits_elsewhere_in_the_folder_is_nobody_elses(
    open_phone: OpenPhone, core: Core, eventually: Eventually
) -> None:
    core.is_away = True
    async with open_phone() as phone, Telephone(phone.bound) as caller:
        await caller.call()
        async with open_phone() as other, Telephone(other.bound) as second:
            (await second.call()).bye()
            await second.response("BYE")
            asked = core.asked
            await eventually(lambda: core.asked > asked + 3)
            assert other.calls == 0
        assert phone.calls == 1
        core.is_away = False
        await eventually(lambda: len(core.contacts) >= 1)
        await asyncio.sleep(0)
        assert [end for _, end in core.closed()] in ([], [LegEnd.HANGUP])
        assert phone.calls == 1
