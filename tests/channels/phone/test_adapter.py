"""The phone as a channel, by telephones that send exactly what the tests say."""

import asyncio
import gc
import time
from weakref import ref

import pytest

from channels.contract import LegUnknown
from channels.phone.adapter import PhoneChannel
from channels.phone.sip.message import Response
from session.audio import Announcement
from session.events import DigitPressed, LegHeld, LegOpened, LegsJoined
from session.ids import AssigneeId, LegId, RecordingId, SessionId
from session.ports import Verdict
from session.state import LegEnd
from tests.channels.phone.conftest import OpenPhone
from tests.channels.phone.core import PASSWORD, Core
from tests.channels.phone.telephone import SDP, Dialled, Telephone, authorization
from tests.conftest import Eventually

AGENT = AssigneeId("a8001")


async def ring(phone: PhoneChannel, core: Core, token: int = 1, lease_s: float = 20.0) -> tuple[SessionId, LegId]:
    leg = core.contacts[0].leg
    session = SessionId(f"session-{leg}")
    await phone.ring(session, leg, AGENT, token, time.time() + lease_s)
    return session, leg


async def joined(phone: PhoneChannel, core: Core, device: Telephone, eventually: Eventually) -> None:
    """A call that rang at the device, was picked up and joined."""
    session, leg = await ring(phone, core)
    invite = await device.request("INVITE")
    device.reply(invite, 180)
    device.reply(invite, 200, body=device.offer())
    await device.request("ACK")
    opened = await eventually(lambda: core.said(LegOpened))
    assert isinstance(opened[0], LegOpened)
    await phone.join(session, leg, opened[0].leg.id, RecordingId("r1"))
    await eventually(lambda: core.said(LegsJoined))


async def test_trunk_call_is_answered_and_told(phone: PhoneChannel, core: Core, eventually: Eventually) -> None:
    async with Telephone(phone.bound) as caller:
        call = await caller.call(extra=("P-Asserted-Identity: <tel:+8613800138000>",))
        assert call.answer.status == 200
        assert b"PCMA" in call.answer.body
        (contact,) = core.contacts
        assert (str(contact.address), contact.number, contact.asserted) == ("tel:+8613800138000", "12345", True)
        call.bye()
        assert (await caller.response("BYE")).status == 200
        await eventually(lambda: core.closed() == [("call", LegEnd.HANGUP)])
        await eventually(lambda: phone.calls == 0)


async def test_over_tcp_too(phone: PhoneChannel, core: Core, eventually: Eventually) -> None:
    async with Telephone(phone.bound, tcp=True) as caller:
        call = await caller.call()
        assert call.answer.status == 200
        await phone.close_leg(SessionId("s"), core.contacts[0].leg, LegEnd.CLOSED)
        caller.reply(await caller.request("BYE"), 200)
        await eventually(lambda: core.closed() == [("call", LegEnd.CLOSED)])


async def test_repeated_invite_makes_no_second_call(phone: PhoneChannel, core: Core, eventually: Eventually) -> None:
    async with Telephone(phone.bound) as caller:
        invite = caller.compose("INVITE", call="same", branch="z9hG4bKsame", body=caller.offer())
        for _ in range(3):
            caller.send(invite)
        call = Dialled(caller, "same", "12345", await caller.response())
        caller.send(invite)
        call.ack()
        call.bye()
        await caller.response("BYE")
        assert len(core.contacts) == 1
        tags = {one.to_address.tag for one in caller.heard if one.cseq[1] == "INVITE" and one.to_address.tag}
        assert len(tags) == 1


async def test_numbers_are_hidden_until_a_caller_has_proved_itself(open_phone: OpenPhone, core: Core) -> None:
    async with open_phone(trunks=()) as phone, Telephone(phone.bound, user="8001") as caller:
        for number in ("12345", "99999"):
            assert (await _status(caller, number)) == 401
        assert core.contacts == []


async def _status(caller: Telephone, number: str) -> int:
    seen = len(caller.heard)
    caller.send(caller.compose("INVITE", number, body=caller.offer()))
    await caller.until(lambda: any(getattr(one, "status", 0) >= 200 for one in caller.heard[seen:]))
    return int(getattr(caller.heard[-1], "status", 0))


async def test_registered_phone_may_call_and_an_unregistered_one_may_not(open_phone: OpenPhone, core: Core) -> None:
    async with open_phone(trunks=()) as phone, Telephone(phone.bound, user="8001") as caller:
        for registers, number, wanted in ((False, "12345", 403), (True, "99999", 403), (False, "12345", 200)):
            if registers:
                await caller.register(PASSWORD)
            uri = f"sip:{number}@{phone.bound[0]}:{phone.bound[1]}"
            call = f"c{number}{registers}{wanted}"
            caller.heard.clear()
            caller.send(caller.compose("INVITE", uri, call=call, body=caller.offer()))
            challenge = await caller.response()
            assert challenge.status == 401
            proof = authorization(challenge, "INVITE", uri, "8001", PASSWORD, "SHA-256")
            caller.send(caller.compose("INVITE", uri, call=call, cseq=2, extra=(proof,), body=caller.offer()))
            assert (await caller.response(count=2)).status == wanted
        assert str(core.contacts[0].address) == "sip:8001"


async def test_caller_who_cancels_while_the_store_takes_its_time(
    phone: PhoneChannel, core: Core, eventually: Eventually
) -> None:
    core.opens.clear()
    async with Telephone(phone.bound) as caller:
        caller.send(caller.compose("INVITE", call="c1", branch="z9hG4bKc1", body=caller.offer()))
        await eventually(lambda: core.asked)
        caller.send(caller.compose("CANCEL", call="c1", branch="z9hG4bKc1"))
        assert (await caller.response("INVITE")).status == 487
        core.opens.set()
        await eventually(lambda: core.closed() == [("call", LegEnd.HANGUP)])
        await eventually(lambda: phone.calls == 0)


async def test_store_that_does_not_answer_is_away(open_phone: OpenPhone, core: Core, eventually: Eventually) -> None:
    core.opens.clear()
    async with open_phone(store_patience_s=0.2) as phone, Telephone(phone.bound) as caller:
        assert (await caller.call()).answer.status == 200
        assert core.contacts == []
        core.opens.set()
        await eventually(lambda: len(core.contacts) == 1)
        assert core.contacts[0].arrived_at is not None


async def test_unknown_number_from_a_trunk(phone: PhoneChannel, core: Core) -> None:
    async with Telephone(phone.bound) as caller:
        assert (await caller.call("99999")).answer.status == 404
        assert core.contacts == []


async def test_nothing_to_agree_on(phone: PhoneChannel) -> None:
    async with Telephone(phone.bound) as caller:
        only_g729 = SDP.format(port=40000).replace("RTP/AVP 8 0 101", "RTP/AVP 18")
        caller.send(caller.compose("INVITE", body=only_g729))
        assert (await caller.response()).status == 488


async def test_invite_without_offer_gets_ours(phone: PhoneChannel, core: Core, eventually: Eventually) -> None:
    async with Telephone(phone.bound) as caller:
        caller.send(caller.compose("INVITE", call="late"))
        answer = await caller.response()
        assert b"m=audio" in answer.body
        call = Dialled(caller, "late", "12345", answer)
        call.ack(body=caller.offer())
        call.bye()
        assert (await caller.response("BYE")).status == 200
        await eventually(lambda: core.closed() == [("call", LegEnd.HANGUP)])


async def test_agent_picks_up_and_either_side_hangs_up(phone: PhoneChannel, core: Core, eventually: Eventually) -> None:
    async with Telephone(phone.bound) as caller, Telephone(phone.bound, user="8001") as device:
        assert (await device.register(PASSWORD)).status == 200
        call = await caller.call()
        await joined(phone, core, device, eventually)
        assert core.accepted == [(AGENT, 1)]
        call.bye()
        device.reply(await device.request("BYE"), 200)
        await eventually(lambda: core.closed() == [("call", LegEnd.HANGUP), ("agent", LegEnd.CLOSED)])


async def test_agent_hangs_up_and_the_citizen_stays_for_the_core_to_decide(
    phone: PhoneChannel, core: Core, eventually: Eventually
) -> None:
    async with Telephone(phone.bound) as caller, Telephone(phone.bound, user="8001") as device:
        await device.register(PASSWORD)
        await caller.call()
        await joined(phone, core, device, eventually)
        invite = await device.request("INVITE")
        to = invite.headers.first("from") or ""
        bye = device.compose("BYE", call=invite.call_id, cseq=1, to=to).replace(
            f"From: <sip:8001@127.0.0.1>;tag=t{invite.call_id[:6]}".encode(),
            f"From: {invite.headers.first('to')};tag=dev".encode(),
        )
        device.send(bye)
        assert (await device.response("BYE")).status == 200
        await eventually(lambda: core.closed() == [("agent", LegEnd.HANGUP)])
        assert phone.calls == 1


@pytest.mark.parametrize(("status", "reason"), [(486, "busy"), (603, "rejected"), (480, "unreachable")])
async def test_device_refuses(
    phone: PhoneChannel, core: Core, eventually: Eventually, status: int, reason: str
) -> None:
    async with Telephone(phone.bound) as caller, Telephone(phone.bound, user="8001") as device:
        await device.register(PASSWORD)
        await caller.call()
        await ring(phone, core)
        device.reply(await device.request("INVITE"), status)
        assert (await device.request("ACK")).cseq == (1, "ACK")
        await eventually(lambda: core.declined == [(AGENT, 1, reason)])


async def test_agent_without_a_device_is_unreachable(phone: PhoneChannel, core: Core, eventually: Eventually) -> None:
    async with Telephone(phone.bound) as caller:
        await caller.call()
        await ring(phone, core)
        await eventually(lambda: core.declined == [(AGENT, 1, "unreachable")])


async def test_refused_accept_is_acknowledged_and_ended_with_a_reason(
    phone: PhoneChannel, core: Core, eventually: Eventually
) -> None:
    core.verdict = Verdict.EXPIRED
    async with Telephone(phone.bound) as caller, Telephone(phone.bound, user="8001") as device:
        await device.register(PASSWORD)
        await caller.call()
        await ring(phone, core)
        device.reply(await device.request("INVITE"), 200, body=device.offer())
        await device.request("ACK")
        bye = await device.request("BYE")
        assert "cause=200" in (bye.headers.first("reason") or "")
        assert core.said(LegOpened) == []


async def test_offer_over_cancels_the_device_and_the_next_offer_rings(
    phone: PhoneChannel, core: Core, eventually: Eventually
) -> None:
    async with Telephone(phone.bound) as caller, Telephone(phone.bound, user="8001") as device:
        await device.register(PASSWORD)
        await caller.call()
        _, leg = await ring(phone, core)
        invite = await device.request("INVITE")
        device.reply(invite, 180)
        await phone.stop_ringing(leg, AGENT, 1)
        cancel = await device.request("CANCEL")
        device.reply(cancel, 200)
        device.reply(invite, 487)
        await device.request("ACK")
        assert core.declined == []
        await ring(phone, core, token=2)
        assert (await device.request("INVITE", count=2)).call_id != invite.call_id


async def test_newer_offer_ends_the_older_one_s_ringing(phone: PhoneChannel, core: Core) -> None:
    async with Telephone(phone.bound) as caller, Telephone(phone.bound, user="8001") as device:
        await device.register(PASSWORD)
        await caller.call()
        await ring(phone, core)
        first = await device.request("INVITE")
        device.reply(first, 180)
        await ring(phone, core, token=2)
        assert (await device.request("CANCEL")).call_id == first.call_id
        await device.until(lambda: len({one.call_id for one in device.heard if one.cseq[1] == "INVITE"}) == 2)


async def test_same_offer_rings_once(phone: PhoneChannel, core: Core) -> None:
    async with Telephone(phone.bound) as caller, Telephone(phone.bound, user="8001") as device:
        await device.register(PASSWORD)
        await caller.call()
        await ring(phone, core)
        invite = await device.request("INVITE")
        device.reply(invite, 180)
        await ring(phone, core)
        device.reply(invite, 486)
        await device.request("ACK")
        assert len({one.call_id for one in device.heard if one.cseq[1] == "INVITE"}) == 1


async def test_lease_ends_the_ringing_by_itself(phone: PhoneChannel, core: Core) -> None:
    async with Telephone(phone.bound) as caller, Telephone(phone.bound, user="8001") as device:
        await device.register(PASSWORD)
        await caller.call()
        await ring(phone, core, lease_s=0.3)
        device.reply(await device.request("INVITE"), 180)
        await device.request("CANCEL")
        assert core.declined == []


async def test_caller_gone_while_it_rings(phone: PhoneChannel, core: Core, eventually: Eventually) -> None:
    async with Telephone(phone.bound) as caller, Telephone(phone.bound, user="8001") as device:
        await device.register(PASSWORD)
        call = await caller.call()
        await ring(phone, core)
        device.reply(await device.request("INVITE"), 180)
        call.bye()
        await device.request("CANCEL")
        await eventually(lambda: core.closed() == [("call", LegEnd.HANGUP)])


async def test_answer_that_crosses_the_hang_up_is_acknowledged_and_ended(phone: PhoneChannel, core: Core) -> None:
    async with Telephone(phone.bound) as caller, Telephone(phone.bound, user="8001") as device:
        await device.register(PASSWORD)
        call = await caller.call()
        await ring(phone, core)
        invite = await device.request("INVITE")
        device.reply(invite, 180)
        call.bye()
        await device.request("CANCEL")
        device.reply(invite, 200, body=device.offer())
        await device.request("ACK")
        await device.request("BYE")
        assert core.accepted == []


async def test_hold_and_digits(phone: PhoneChannel, core: Core, eventually: Eventually) -> None:
    async with Telephone(phone.bound) as caller:
        call = await caller.call()
        offer = caller.offer()
        for cseq, body, held in ((2, offer + "a=sendonly\r\n", True), (3, offer, False)):
            caller.send(call.within("INVITE", cseq, body=body))
            answer = await caller.response(count=cseq)
            assert answer.status == 200
            call.ack(cseq)
            await eventually(lambda: len(core.said(LegHeld)) == cseq - 1)  # noqa: B023 - awaited at once
            assert core.said(LegHeld)[-1] == LegHeld(leg=core.contacts[0].leg, held=held)
        caller.send(call.within("INFO", 4, body="Signal=5\r\nDuration=160\r\n", kind="application/dtmf-relay"))
        assert (await caller.response("INFO")).status == 200
        await eventually(lambda: core.said(DigitPressed) == [DigitPressed(leg=core.contacts[0].leg, digit="5")])
        caller.send(call.within("INFO", 5, body="Signal=x", kind="application/dtmf-relay"))
        assert (await caller.response("INFO", count=2)).status == 400


async def test_too_many_calls_and_too_fast(open_phone: OpenPhone) -> None:
    async with open_phone(max_calls=1) as phone, Telephone(phone.bound) as one, Telephone(phone.bound) as other:
        assert (await one.call()).answer.status == 200
        refused = (await other.call()).answer
        assert (refused.status, "retry-after" in refused.headers) == (503, True)


async def test_who_acknowledges_nothing_takes_no_room_from_others(open_phone: OpenPhone) -> None:
    async with (
        open_phone(max_calls=8) as phone,
        Telephone(phone.bound, host="127.0.0.66") as flooder,
        Telephone(phone.bound) as caller,
    ):
        for number in range(6):
            flooder.send(flooder.compose("INVITE", call=f"flood{number}", body=flooder.offer()))
        await flooder.until(lambda: len(finals(flooder)) == 6)
        assert sorted(finals(flooder).values()) == [200] * 2 + [503] * 4
        for number in range(1, 6):
            caller.send(caller.compose("INVITE", call=f"call{number}", body=caller.offer()))
            answer = await caller.response(count=number)
            assert answer.status == 200
            Dialled(caller, f"call{number}", "12345", answer).ack()


def finals(telephone: Telephone) -> dict[str, int]:
    """The final status of each INVITE by Call-ID."""
    responses = (one for one in telephone.heard if isinstance(one, Response) and one.is_final)
    return {one.call_id: one.status for one in responses if one.cseq[1] == "INVITE"}


async def test_draining_takes_nothing_new(phone: PhoneChannel) -> None:
    async with Telephone(phone.bound) as one, Telephone(phone.bound) as other:
        call = await one.call()
        draining = asyncio.create_task(phone.drain(5.0))
        await asyncio.sleep(0)
        assert (await other.call()).answer.status == 503
        call.bye()
        await draining
        assert phone.calls == 0


async def test_play_for_a_leg_that_is_not_here(phone: PhoneChannel) -> None:
    with pytest.raises(LegUnknown):
        await phone.play(LegId("elsewhere"), (Announcement("welcome"),), music=True)


async def test_events_wait_for_the_store(phone: PhoneChannel, core: Core, eventually: Eventually) -> None:
    async with Telephone(phone.bound) as caller:
        call = await caller.call()
        core.is_away = True
        call.bye()
        assert (await caller.response("BYE")).status == 200
        core.is_away = False
        await eventually(lambda: core.closed() == [("call", LegEnd.HANGUP)])


async def test_a_call_that_is_over_leaves_nothing_to_the_collector(
    core: Core, open_phone: OpenPhone, eventually: Eventually
) -> None:
    """Else its look through all that calls left makes the rings of others late."""
    async with (
        open_phone() as phone,
        Telephone(phone.bound) as caller,
        Telephone(phone.bound, user="8001") as device,
    ):
        await device.register(PASSWORD)
        call = await caller.call()
        await joined(phone, core, device, eventually)
        (bridge,) = map(ref, phone._bridges.values())
        gc.collect()
        gc.disable()
        try:
            call.bye()
            device.reply(await device.request("BYE"), 200)
            await eventually(lambda: phone.calls == 0, deadline_s=15)
            await eventually(lambda: bridge() is None, deadline_s=15)
        finally:
            gc.enable()
