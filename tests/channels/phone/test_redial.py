"""Who dials again before anybody has noticed that their call is dead goes on where they were."""

import asyncio
import time
from collections.abc import AsyncIterator

import pytest

from channels.phone.adapter import PhoneChannel
from channels.phone.elsewhere import LOOKED_S, Elsewhere
from queueing.memory import MemoryStore
from session.address import Address
from session.ids import LegId, NodeId
from session.ports import Admission, Contact
from session.state import LegEnd
from tests.channels.phone.conftest import OpenPhone
from tests.channels.phone.core import Core
from tests.channels.phone.telephone import Telephone
from tests.channels.phone.test_sound import Ear, port_of
from tests.conftest import Eventually

MOBILE = ("P-Asserted-Identity: <tel:+8613800138000>",)
KEY = b"what all nodes share"
SWITCHBOARD = ("P-Asserted-Identity: <tel:+862112345678>",)


async def test_a_dead_call_is_over_before_the_core_hears_of_the_next(phone: PhoneChannel, core: Core) -> None:
    async with Telephone(phone.bound) as lost, Telephone(phone.bound) as again:
        await lost.call(extra=MOBILE)
        calling = asyncio.create_task(again.call(extra=MOBILE))
        await lost.until(lambda: core.closed() == [("call", LegEnd.LOST)] or len(core.contacts) == 2)
        assert len(core.contacts) == 1, "a second session would have begun"
        assert (await calling).answer.status == 200
        assert len(core.contacts) == 2
        await lost.request("BYE")


async def test_a_call_that_was_just_cut_off_is_over_before_the_core_hears_of_the_next(
    phone: PhoneChannel, core: Core, monkeypatch: pytest.MonkeyPatch, eventually: Eventually
) -> None:
    """Its network says goodbye, and the telephone dials again before the store has taken that."""
    known: list[list[tuple[str, str]]] = []
    opening = core.open

    async def opened(contact: Contact) -> Admission:
        known.append(core.closed())
        return await opening(contact)

    monkeypatch.setattr(core, "open", opened)
    async with Telephone(phone.bound) as lost, Telephone(phone.bound) as again:
        call = await lost.call(extra=MOBILE)
        core.posts.clear()
        (before,) = phone._bridges.values()
        waited, ended = asyncio.Event(), before.ended

        async def is_waited_for() -> None:
            waited.set()
            await ended()

        monkeypatch.setattr(before, "ended", is_waited_for)
        call.bye()
        await lost.response("BYE")
        calling = asyncio.create_task(again.call(extra=MOBILE))
        await eventually(lambda: waited.is_set() or len(known) == 2)
        core.posts.set()
        await calling
    assert known == [[], [("call", LegEnd.HANGUP)]]


async def test_a_mobile_from_which_sound_comes_is_not_dead(phone: PhoneChannel, core: Core) -> None:
    """Whatever the network means by it: nobody is cut off who speaks."""
    ear = Ear(0x31)
    speaking = asyncio.create_task(ear.run())
    async with Telephone(phone.bound) as caller, Telephone(phone.bound) as other:
        caller.offer = lambda: ear.sdp  # type: ignore[method-assign]  # this caller says where its sound goes
        ear.target = port_of((await caller.call(extra=MOBILE)).answer.body)
        await other.call(extra=MOBILE)
        assert (core.closed(), len(core.contacts)) == ([], 2)
    speaking.cancel()
    await asyncio.gather(speaking, return_exceptions=True)
    ear.socket.close()


@pytest.mark.parametrize("answer", [200, 481])
async def test_behind_a_switchboard_a_silent_telephone_is_asked_first(
    phone: PhoneChannel, core: Core, eventually: Eventually, answer: int
) -> None:
    """Its callers share a number: a colleague who is muted stays."""
    async with Telephone(phone.bound) as caller, Telephone(phone.bound) as colleague:
        await caller.call(extra=SWITCHBOARD)
        calling = asyncio.create_task(colleague.call(extra=SWITCHBOARD))
        caller.reply(await caller.request("OPTIONS"), answer, tag="")
        await calling
        await eventually(lambda: len(core.contacts) == 2)
        assert core.closed() == ([] if answer == 200 else [("call", LegEnd.LOST)])


async def test_a_number_that_nobody_vouches_for_ends_no_call(phone: PhoneChannel, core: Core) -> None:
    """Else whoever writes another's number into From could hang up on them."""
    async with Telephone(phone.bound, user="13800138000") as caller:
        await caller.call(extra=MOBILE)
        async with Telephone(phone.bound, user="13800138000") as stranger:
            await stranger.call()
        assert core.closed() == []


# --- at another node -------------------------------------------------------------------------------------------------


@pytest.fixture
async def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
async def here(open_phone: OpenPhone, store: MemoryStore) -> AsyncIterator[PhoneChannel]:
    await store.mailboxes.beat(NodeId("n1"), ttl_s=3600)
    async with open_phone(node="n1", mail=store.mail, nonce_secret=KEY) as phone:
        yield phone


@pytest.fixture
async def there(open_phone: OpenPhone, store: MemoryStore) -> AsyncIterator[PhoneChannel]:
    await store.mailboxes.beat(NodeId("n2"), ttl_s=3600)
    async with open_phone(node="n2", mail=store.mail, nonce_secret=KEY) as phone:
        yield phone


async def test_a_dead_call_of_another_node_is_let_go_there_first(
    here: PhoneChannel, there: PhoneChannel, core: Core
) -> None:
    async with Telephone(here.bound) as lost, Telephone(there.bound) as again:
        await lost.call(extra=MOBILE)
        calling = asyncio.create_task(again.call(extra=MOBILE))
        await lost.request("BYE")
        assert core.closed() == [("call", LegEnd.LOST)]
        assert len(core.contacts) == 1, "told before the next call is: else a second session would have begun"
        assert (await calling).answer.status == 200
        assert "13800138000" not in "".join(core.values)


async def test_who_speaks_at_another_node_is_not_cut_off(here: PhoneChannel, there: PhoneChannel, core: Core) -> None:
    ear = Ear(0x32)
    speaking = asyncio.create_task(ear.run())
    async with Telephone(here.bound) as caller, Telephone(there.bound) as other:
        caller.offer = lambda: ear.sdp  # type: ignore[method-assign]  # this caller says where its sound goes
        ear.target = port_of((await caller.call(extra=MOBILE)).answer.body)
        await other.call(extra=MOBILE)
        assert (core.closed(), len(core.contacts)) == ([], 2)
    speaking.cancel()
    await asyncio.gather(speaking, return_exceptions=True)
    ear.socket.close()


@pytest.mark.parametrize("left", [False, True], ids=["killed", "left"])
async def test_nobody_waits_for_a_node_that_is_gone(
    there: PhoneChannel, core: Core, store: MemoryStore, left: bool
) -> None:
    """The core mourns its calls."""
    elsewhere = Elsewhere(NodeId("n0"), core, store.mail, KEY, _nobody)
    if left:
        await store.mailboxes.beat(NodeId("n0"), ttl_s=3600)
        await store.mailboxes.leave(NodeId("n0"))
    note = elsewhere.note(Address("tel", "+8613800138000"), LegId("call-of-n0"))
    core.values[note.key] = note.value
    async with Telephone(there.bound) as again:
        began = time.monotonic()
        await again.call(extra=MOBILE)
        assert time.monotonic() - began < LOOKED_S, "it is not asked"


async def _nobody(leg: LegId) -> None:
    raise AssertionError(leg)
