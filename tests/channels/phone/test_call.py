"""Calls in each of their states over real sockets: reliable provisionals, session timers, glare, forks, re-offers."""

import asyncio
import ipaddress
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import pytest

from channels.phone.application import Reply
from channels.phone.call import Answered, EndCause, Ended, RefreshDue, Reoffered, Ringing
from channels.phone.endpoint import Endpoint
from channels.phone.errors import CallOver, ReofferRefused
from channels.phone.flow import Flow, Protocol3261
from channels.phone.guard import Guard, GuardSettings
from channels.phone.incoming import IncomingCall
from channels.phone.outgoing import OutgoingCall
from channels.phone.sip.address import NameAddress
from channels.phone.sip.message import Request, Response
from channels.phone.sip.session_timer import SessionTiming
from channels.phone.sip.timing import Timing
from channels.phone.sip.uri import Uri
from channels.phone.transport import TransportSettings
from tests.channels.phone.telephone import SDP, Dialled, Telephone
from tests.conftest import Eventually

OURS = SDP.format(port=41000).encode()
QUICK = Timing(t1_s=0.02, t2_s=0.08, t4_s=0.1)
SHORT = SessionTiming(interval_s=4, least_s=1)
"""Refreshed after two seconds, over after 2.7 s."""


@dataclass
class Board:
    """Rings, with early media where it has some, and answers where it may; remembers what happened."""

    answers: bool = True
    early: bytes = b""
    holds_reoffers: bool = False
    calls: list[IncomingCall] = field(default_factory=list)
    happened: list[object] = field(default_factory=list)

    async def invited(self, call: IncomingCall) -> None:
        self.calls.append(call)
        call.provisional(183 if self.early else 180, self.early)
        if self.answers:
            call.answer(OURS)
        async for event in call:
            self.happened.append(event)
            if isinstance(event, Reoffered) and not self.holds_reoffers:
                call.accept_reoffer(OURS)
            elif isinstance(event, RefreshDue):
                with suppress(ReofferRefused):
                    await call.reinvite(offer)

    @property
    def takes_calls(self) -> bool:
        return True

    async def registered(self, request: Request, flow: Flow) -> Reply:
        return Reply(200)

    def lost(self, flow: Flow) -> None:
        pass


@pytest.fixture
def board() -> Board:
    return Board()


async def offer() -> bytes:
    return OURS


@asynccontextmanager
async def opened(board: Board, timing: Timing | None = None, session: SessionTiming | None = None):  # type: ignore[no-untyped-def]  # an endpoint
    guard = Guard(GuardSettings(), [ipaddress.ip_network("127.0.0.0/8")])
    async with Endpoint(board, guard, TransportSettings(), timing=timing, session=session) as endpoint:
        yield endpoint


@pytest.fixture
async def endpoint(board: Board) -> AsyncIterator[Endpoint]:
    async with opened(board) as one:
        yield one


@pytest.fixture
async def quick(board: Board) -> AsyncIterator[Endpoint]:
    async with opened(board, QUICK) as one:
        yield one


@pytest.fixture
async def short(board: Board) -> AsyncIterator[Endpoint]:
    async with opened(board, session=SHORT) as one:
        yield one


def dial(endpoint: Endpoint, device: Telephone) -> OutgoingCall:
    target = Uri.parse(f"sip:dev@127.0.0.1:{device.port}")
    flow = Flow(Protocol3261.UDP, ("127.0.0.1", device.port))
    return endpoint.call(flow, target, caller=NameAddress(target), callee=NameAddress(target), body=OURS)


async def next_event(call: IncomingCall | OutgoingCall) -> object:
    async with asyncio.timeout(10):
        async for event in call:
            return event
    return None


def statuses(caller: Telephone, method: str = "INVITE") -> list[int]:
    return [one.status for one in caller.heard if isinstance(one, Response) and one.cseq[1] == method]


# -- reliable provisionals (RFC 3262) ------------------------------------------------------------------------------


async def rung(caller: Telephone, call: str, *extra: str) -> Dialled:
    caller.send(caller.compose("INVITE", call=call, extra=extra, body=caller.offer()))
    return Dialled(caller, call, "12345", await caller.response(least=180))


async def test_caller_who_demands_it_acknowledges_our_ringing(endpoint: Endpoint, board: Board) -> None:
    board.answers = False
    async with Telephone(endpoint.bound) as caller:
        call = await rung(caller, "rel", "Require: 100rel")
        rseq = call.answer.headers.first("rseq")
        assert "100rel" in call.answer.headers.listed("require")
        for rack, status in ((f"{rseq} 2 INVITE", 481), (f"{rseq} 1 INVITE", 200)):
            caller.send(call.within("PRACK", 2 if status == 481 else 3, extra=(f"RAck: {rack}",)))
            await caller.response("PRACK", count=1 if status == 481 else 2)
        assert statuses(caller, "PRACK") == [481, 200]
        board.calls[0].answer(OURS)
        assert (await caller.response("INVITE")).status == 200


async def test_ringing_that_nobody_acknowledges(quick: Endpoint, board: Board, eventually: Eventually) -> None:
    board.answers = False
    async with Telephone(quick.bound) as caller:
        await rung(caller, "rel", "Require: 100rel")
        assert (await caller.response("INVITE")).status == 504
        assert statuses(caller).count(180) > 3
        await eventually(lambda: board.happened == [Ended(EndCause.REFUSED, 504)])
        assert quick.calls == {}


async def test_answer_waits_until_the_early_description_is_acknowledged(endpoint: Endpoint, board: Board) -> None:
    board.early = OURS
    async with Telephone(endpoint.bound) as caller:
        call = await rung(caller, "early", "Supported: 100rel")
        caller.send(caller.compose("OPTIONS"))
        await caller.response("OPTIONS")
        assert 200 not in statuses(caller)
        caller.send(call.within("PRACK", 2, extra=(f"RAck: {call.answer.headers.first('rseq')} 1 INVITE",)))
        assert (await caller.response("INVITE")).status == 200


async def test_we_acknowledge_what_rings_reliably_and_take_its_description(endpoint: Endpoint) -> None:
    async with Telephone(endpoint.bound) as device:
        call = dial(endpoint, device)
        invite = await device.request("INVITE")
        assert "100rel" in invite.headers.listed("supported")
        for tag, rseq in (("one", 5), ("one", 5), ("two", 9)):
            extra = ("Require: 100rel", f"RSeq: {rseq}", "Content-Type: application/sdp")
            device.reply(invite, 183, tag=tag, extra=extra[:2], body=f"v=0 {tag}")
        for count, (tag, rseq) in enumerate((("one", 5), ("two", 9)), 1):
            prack = await device.request("PRACK", count)
            assert (prack.to_address.tag, prack.headers.first("rack")) == (tag, f"{rseq} 1 INVITE")
            device.reply(prack, 200)
        device.reply(invite, 200, tag="two")
        assert [await next_event(call) for _ in range(3)] == [
            Ringing(183, b"v=0 one"),
            Ringing(183, b"v=0 two"),
            Answered(b"v=0 two"),
        ]
        call.hang_up()
        bye = await device.request("BYE")
        assert (bye.to_address.tag, bye.cseq[0]) == ("two", 3), "behind INVITE and PRACK"
        assert [one for one in device.heard if isinstance(one, Request) and one.method == "PRACK"][2:] == []


async def test_a_fork_s_other_answers_are_ended_where_they_came_from(endpoint: Endpoint) -> None:
    async with Telephone(endpoint.bound) as device, Telephone(endpoint.bound) as other:
        call = dial(endpoint, device)
        invite = await device.request("INVITE")
        device.reply(invite, 200, tag="one", body="v=0")
        device.send(
            f"SIP/2.0 200 OK\r\nVia: {invite.headers.first('via')}\r\nFrom: {invite.headers.first('from')}\r\n"
            f"To: {invite.headers.first('to')};tag=two\r\nCall-ID: {invite.call_id}\r\nCSeq: 1 INVITE\r\n"
            f"Contact: <sip:x@127.0.0.1:{other.port}>\r\nContent-Length: 0\r\n\r\n".encode()
        )
        assert (await other.request("ACK")).to_address.tag == "two"
        assert (await other.request("BYE")).to_address.tag == "two"
        assert not call.is_over
        assert await next_event(call) == Answered(b"v=0")


async def test_update_within_an_early_dialog(endpoint: Endpoint) -> None:
    async with Telephone(endpoint.bound) as device:
        dial(endpoint, device)
        invite = await device.request("INVITE")
        device.reply(invite, 180, tag="dev")
        for count, (body, status) in enumerate((("", 200), ("v=0", 488)), 1):
            update = device.compose("UPDATE", call=invite.call_id, cseq=count, to=str(invite.from_address), body=body)
            theirs = f"From: <sip:{device.user}@127.0.0.1>;tag=t{invite.call_id[:6]}".encode()
            device.send(update.replace(theirs, f"From: {invite.headers.first('to')};tag=dev".encode()))
            assert (await device.response("UPDATE", count=count)).status == status


# -- session timers (RFC 4028) -------------------------------------------------------------------------------------


async def test_who_knows_no_timers_is_refreshed_by_us(short: Endpoint, board: Board) -> None:
    """By UPDATE, and the call lives as long as these are answered."""
    async with Telephone(short.bound) as caller:
        call = await caller.call(extra=("Allow: INVITE, UPDATE",))
        assert call.answer.headers.first("session-expires") == "4;refresher=uas"
        update = await caller.request("UPDATE")
        assert update.headers.first("session-expires") == "4;refresher=uac"
        assert not update.body
        caller.reply(update, 200, extra=("Session-Expires: 2;refresher=uac",))
        caller.reply(await caller.request("UPDATE", 2), 481)
        await caller.request("BYE")


@pytest.mark.parametrize("says_it_knows", [False, True])
async def test_who_knows_no_update_is_offered_anew(short: Endpoint, board: Board, says_it_knows: bool) -> None:
    async with Telephone(short.bound) as caller:
        await caller.call(extra=("Allow: INVITE, UPDATE",) if says_it_knows else ())
        if says_it_knows:
            caller.reply(await caller.request("UPDATE"), 501)
        invite = await caller.request("INVITE")
        assert invite.body == OURS
        caller.reply(invite, 200, body="v=0", extra=("Session-Expires: 2;refresher=uac",))
        await caller.request("ACK")
        assert RefreshDue() in board.happened


async def test_who_refuses_to_be_refreshed_is_there_all_the_same(short: Endpoint, board: Board) -> None:
    async with Telephone(short.bound) as caller:
        await caller.call(extra=("Supported: timer", "Session-Expires: 2;refresher=uas"))
        for count in (1, 2, 3):
            invite = await caller.request("INVITE", count)
            caller.reply(invite, 488)
        assert not board.calls[0].is_over


async def test_who_does_not_refresh_is_ended(short: Endpoint, board: Board, eventually: Eventually) -> None:
    async with Telephone(short.bound) as caller:
        call = await caller.call(extra=("Supported: timer", "Session-Expires: 2"))
        assert call.answer.headers.first("session-expires") == "2;refresher=uac"
        assert "timer" in call.answer.headers.listed("require")
        caller.send(call.within("UPDATE", 2, extra=("Supported: timer", "Session-Expires: 2;refresher=uac")))
        assert (await caller.response("UPDATE")).headers.first("session-expires") == "2;refresher=uac"
        await caller.request("BYE")
        await eventually(lambda: board.happened[-1] == Ended(EndCause.LOST))
        assert [one for one in caller.heard if isinstance(one, Request) and one.method == "UPDATE"] == []


async def test_too_short_a_time_is_refused(endpoint: Endpoint, board: Board) -> None:
    async with Telephone(endpoint.bound) as caller:
        short = ("Supported: timer", "Session-Expires: 30")
        answer = (await caller.call(extra=short)).answer
        assert (answer.status, answer.headers.first("min-se")) == (422, "90")
        assert board.calls == []
        call = Dialled(caller, "", "", answer)
        caller.heard.clear()
        call = await caller.call()
        caller.send(call.within("UPDATE", 2, extra=short))
        assert (await caller.response("UPDATE")).status == 422


async def test_longer_time_is_given_to_who_demands_it(endpoint: Endpoint) -> None:
    async with Telephone(endpoint.bound) as device:
        call = dial(endpoint, device)
        first = await device.request("INVITE")
        assert first.headers.first("session-expires") == "1800"
        device.reply(first, 422, extra=("Min-SE: 3600",))
        second = await device.request("INVITE", 2)
        assert (second.headers.first("session-expires"), second.headers.first("min-se")) == ("3600", "3600")
        assert (second.call_id, second.cseq[0], second.body) == (first.call_id, 2, first.body)
        assert second.vias[0].branch != first.vias[0].branch
        device.reply(second, 422, extra=("Min-SE: 3600",))
        assert await next_event(call) == Ended(EndCause.REFUSED, 422), "asked twice for the same: given up"


# -- both ends at once (section 14) --------------------------------------------------------------------------------


async def test_glare(endpoint: Endpoint, board: Board) -> None:
    """Theirs is refused while ours waits; ours is tried again by chance, with an offer made anew."""
    async with Telephone(endpoint.bound) as caller:
        call = await caller.call()
        changing = asyncio.create_task(board.calls[0].reinvite(offer))
        invite = await caller.request("INVITE")
        caller.send(call.within("INVITE", 2, body=caller.offer()))
        assert (await caller.response(count=2)).status == 491
        caller.send(call.within("ACK", 2))
        caller.reply(invite, 491)
        again = await caller.request("INVITE", 2)
        assert again.cseq[0] == invite.cseq[0] + 1
        caller.reply(again, 200, body="v=0")
        assert await changing == b"v=0"


async def test_their_change_comes_first_while_ours_waits_its_turn(endpoint: Endpoint, board: Board) -> None:
    board.holds_reoffers = True
    async with Telephone(endpoint.bound) as caller:
        call = await caller.call()
        caller.send(call.within("INVITE", 2, body=caller.offer()))
        await caller.response(least=100, count=1)
        async with asyncio.timeout(10):
            while Reoffered not in map(type, board.happened):
                await asyncio.sleep(0.01)
        caller.send(call.within("INVITE", 3, body=caller.offer()))
        second = await caller.response(count=2)
        assert (second.status, "retry-after" in second.headers) == (500, True)
        call.ack(3)
        changing = asyncio.create_task(board.calls[0].reinvite(offer))
        board.calls[0].accept_reoffer(OURS)
        call.ack(2)
        caller.reply(await caller.request("INVITE"), 200, body="v=0")
        assert await changing == b"v=0"


async def test_change_of_a_call_that_ends_meanwhile(endpoint: Endpoint, board: Board) -> None:
    async with Telephone(endpoint.bound) as caller:
        call = await caller.call()
        changing = asyncio.create_task(board.calls[0].reinvite(offer))
        await caller.request("INVITE")
        call.bye()
        with pytest.raises(CallOver):
            await changing


async def test_update_with_a_description_changes_the_session(endpoint: Endpoint, board: Board) -> None:
    async with Telephone(endpoint.bound) as caller:
        call = await caller.call()
        caller.send(call.within("UPDATE", 2, body=caller.offer()))
        answer = await caller.response("UPDATE")
        assert (answer.status, answer.body) == (200, OURS)
        assert len([one for one in board.happened if isinstance(one, Reoffered)]) == 1


async def test_bye_before_the_answer(endpoint: Endpoint, board: Board, eventually: Eventually) -> None:
    board.answers = False
    async with Telephone(endpoint.bound) as caller:
        call = await rung(caller, "soon")
        call.bye(2)
        assert (await caller.response("BYE")).status == 200
        assert (await caller.response("INVITE")).status == 487
        await eventually(lambda: board.happened == [Ended(EndCause.FAR_END)])
        assert endpoint.calls == {}


async def test_device_that_rings_and_never_answers_its_cancel(quick: Endpoint, eventually: Eventually) -> None:
    async with Telephone(quick.bound) as device:
        call = dial(quick, device)
        device.reply(await device.request("INVITE"), 180)
        assert await next_event(call) == Ringing(180, b"")
        call.hang_up()
        await device.request("CANCEL")
        await eventually(lambda: not quick._asked and not quick.calls)
