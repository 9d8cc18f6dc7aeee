"""A call's sound is prepared while the store takes its session: whichever of the two fails leaves nothing behind."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from channels.phone.adapter import PhoneChannel
from channels.phone.sip.message import Response
from media.call import Call
from media.engine import Engine
from media.errors import EngineLost
from media.ports import PortRange
from session.audio import Slot
from session.ports import Admission, Contact
from session.state import LegEnd
from tests.channels.phone.conftest import OpenPhone
from tests.channels.phone.core import Core
from tests.channels.phone.telephone import SDP, Telephone
from tests.conftest import Eventually

WITHOUT_KEYS = SDP.format(port=40000).replace("RTP/AVP", "RTP/SAVP")
"""A codec that we speak, under keys that it does not give: only the engine finds that out."""


def engine_of(phone: PhoneChannel) -> Engine:
    engine = phone._audio
    assert isinstance(engine, Engine)
    return engine


def has_port(phone: PhoneChannel) -> bool:
    return any(call._places[Slot.CITIZEN].end for call in engine_of(phone)._calls)


@pytest.mark.parametrize("sound_is_first", [True, False])
async def test_neither_waits_for_the_other_and_the_answer_for_both(
    open_phone: OpenPhone, core: Core, eventually: Eventually, monkeypatch: pytest.MonkeyPatch, *, sound_is_first: bool
) -> None:
    answer, sound = Call.answer, asyncio.Event()

    async def slow(call: Call, *asked: Any) -> bytes:
        await sound.wait()
        return await answer(call, *asked)

    monkeypatch.setattr(Call, "answer", slow)
    core.opens.clear()
    first, last = (sound, core.opens) if sound_is_first else (core.opens, sound)
    async with open_phone(store_patience_s=60.0) as phone, Telephone(phone.bound) as caller:
        caller.send(caller.compose("INVITE", body=caller.offer()))
        first.set()
        await eventually(lambda: has_port(phone) if sound_is_first else core.contacts)
        caller.send(caller.compose("OPTIONS"))
        await caller.response("OPTIONS")
        heard = [one for one in caller.heard if isinstance(one, Response) and one.cseq[1] == "INVITE"]
        assert {one.status for one in heard} <= {100}
        last.set()
        assert (await caller.response()).status == 200


async def test_what_has_no_codec_of_ours_is_nothing_to_the_core(phone: PhoneChannel, core: Core) -> None:
    async with Telephone(phone.bound) as caller:
        caller.send(caller.compose("INVITE", body=SDP.format(port=40000).replace("RTP/AVP 8 0 101", "RTP/AVP 18")))
        assert (await caller.response()).status == 488
        assert core.asked == 0


async def test_what_the_engine_refuses_is_refused_at_once_and_over_to_the_core(
    phone: PhoneChannel, core: Core, eventually: Eventually
) -> None:
    core.opens.clear()
    async with Telephone(phone.bound) as caller:
        caller.send(caller.compose("INVITE", body=WITHOUT_KEYS))
        assert (await caller.response()).status == 488
        assert core.contacts == [], "the store still thinks"
        core.opens.set()
        await eventually(lambda: core.closed() == [("call", LegEnd.HANGUP)])
        await eventually(lambda: phone.calls == 0 and not engine_of(phone)._calls)


async def test_without_a_port_the_caller_may_try_elsewhere(
    phone: PhoneChannel, core: Core, eventually: Eventually, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_of(phone), "ports", PortRange((40001, 40001)))
    async with Telephone(phone.bound) as caller:
        refused = (await caller.call()).answer
        assert (refused.status, refused.headers.first("retry-after")) == (503, "5")
        await eventually(lambda: core.closed() == [("call", LegEnd.HANGUP)])
        await eventually(lambda: phone.calls == 0 and not engine_of(phone)._calls)


async def test_with_no_process_for_sound_the_core_hears_nothing(
    phone: PhoneChannel, core: Core, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def lost(_: str) -> None:
        raise EngineLost

    monkeypatch.setattr(engine_of(phone), "open", lost)
    async with Telephone(phone.bound) as caller:
        assert (await caller.call()).answer.status == 503
        assert (core.asked, phone.calls) == (0, 0)


async def test_refused_while_the_store_is_away_it_is_told_of_later(
    phone: PhoneChannel, core: Core, eventually: Eventually, tmp_path: Path
) -> None:
    """Whether the store has taken it is not known: it must not stay open there."""
    core.is_away = True
    async with Telephone(phone.bound) as caller:
        caller.send(caller.compose("INVITE", body=WITHOUT_KEYS))
        assert (await caller.response()).status == 488
        await eventually(lambda: phone.calls == 0 and not engine_of(phone)._calls)
        core.is_away = False
        await eventually(lambda: core.closed() == [("call", LegEnd.HANGUP)])
        await eventually(lambda: "".join(file.read_text() for file in (tmp_path / "debts").glob("*")) == "")


async def test_a_core_that_breaks_frees_the_sound(
    phone: PhoneChannel, core: Core, eventually: Eventually, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(_: Contact) -> Admission:
        await eventually(lambda: has_port(phone))
        raise ArithmeticError

    monkeypatch.setattr(core, "open", broken)
    async with Telephone(phone.bound) as caller:
        assert (await caller.call()).answer.status == 480
        await eventually(lambda: phone.calls == 0 and not engine_of(phone)._calls)
