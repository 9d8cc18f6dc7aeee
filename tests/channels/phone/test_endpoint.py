"""The user agent core over real sockets: sipp at the other end, and telephones for what sipp does not do."""

import asyncio
import ipaddress
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from channels.phone.application import Reply
from channels.phone.call import Answered, Confirmed, EndCause, Ended, Reoffered, Ringing
from channels.phone.endpoint import Endpoint
from channels.phone.errors import CallOver, ReofferRefused
from channels.phone.flow import Flow, Protocol3261
from channels.phone.guard import Guard, GuardSettings
from channels.phone.incoming import IncomingCall
from channels.phone.outgoing import OutgoingCall
from channels.phone.sip.address import NameAddress
from channels.phone.sip.message import Request, Response
from channels.phone.sip.timing import Timing
from channels.phone.sip.uri import Uri
from channels.phone.transport import TransportSettings
from tests.channels.phone.sipp import run_sipp
from tests.channels.phone.telephone import SDP, Dialled, Telephone
from tests.conftest import Eventually

OURS = SDP.format(port=41000).encode()
QUICK = Timing(t1_s=0.02, t2_s=0.08, t4_s=0.1)
CALLER = NameAddress(Uri.parse("sip:12345@127.0.0.1"))


class Switchboard:
    """Answers every call at once, or only rings; remembers what happened."""

    def __init__(self) -> None:
        self.only_rings = False
        self.calls: list[IncomingCall] = []
        self.happened: list[object] = []

    async def invited(self, call: IncomingCall) -> None:
        self.calls.append(call)
        call.provisional(180)
        if not self.only_rings:
            call.answer(OURS)
        async for event in call:
            self.happened.append(event)
            if isinstance(event, Reoffered):
                call.accept_reoffer(OURS)

    @property
    def takes_calls(self) -> bool:
        return True

    async def registered(self, request: Request, flow: Flow) -> Reply:
        return Reply(200)

    def lost(self, flow: Flow) -> None:
        self.happened.append(flow)


@pytest.fixture
def board() -> Switchboard:
    return Switchboard()


async def opened(board: Switchboard, timing: Timing | None, settings: TransportSettings) -> AsyncIterator[Endpoint]:
    guard = Guard(GuardSettings(), [ipaddress.ip_network("127.0.0.0/8")])
    async with Endpoint(board, guard, settings, timing=timing) as endpoint:
        yield endpoint


@pytest.fixture
async def endpoint(board: Switchboard) -> AsyncIterator[Endpoint]:
    async for one in opened(board, None, TransportSettings(message_s=0.5)):
        yield one


@pytest.fixture
async def quick(board: Switchboard) -> AsyncIterator[Endpoint]:
    """With timers 25 times as fast: 64·T1 is 1.3 s."""
    async for one in opened(board, QUICK, TransportSettings()):
        yield one


def dial(endpoint: Endpoint, device: Telephone) -> OutgoingCall:
    protocol = Protocol3261.TCP if device.tcp else Protocol3261.UDP
    target = Uri.parse(f"sip:dev@127.0.0.1:{device.port}")
    return endpoint.call(
        Flow(protocol, ("127.0.0.1", device.port)), target, caller=CALLER, callee=NameAddress(target), body=OURS
    )


async def next_event(call: IncomingCall | OutgoingCall) -> object:
    async with asyncio.timeout(5):
        async for event in call:
            return event
    return None


@pytest.mark.parametrize("way", ["u1", "t1", "tn"])
async def test_sipp_calls(endpoint: Endpoint, board: Switchboard, tmp_path: Path, way: str) -> None:
    server = f"127.0.0.1:{endpoint.bound[1]}"
    outcome = await run_sipp(server, "-sn", "uac", "-m", "40", "-r", "40", "-d", "50", "-t", way, folder=tmp_path)
    assert outcome.code == 0, outcome.output
    assert len(board.calls) == 40
    assert [event for event in board.happened if isinstance(event, Ended)] == [Ended(EndCause.FAR_END)] * 40
    assert endpoint.calls == {}


async def test_sipp_is_called(endpoint: Endpoint, tmp_path: Path) -> None:
    async with Telephone(endpoint.bound) as probe:
        port = probe.port
    answering = asyncio.create_task(run_sipp("-sn", "uas", "-m", "10", "-p", str(port), folder=tmp_path))
    flow = Flow(Protocol3261.UDP, ("127.0.0.1", port))
    target = Uri.parse(f"sip:service@127.0.0.1:{port}")
    for _ in range(10):
        call = endpoint.call(flow, target, caller=CALLER, callee=NameAddress(target), body=OURS)
        assert await next_event(call) == Ringing(180, b"")
        assert isinstance(await next_event(call), Answered)
        call.hang_up()
    outcome = await answering
    assert outcome.code == 0, outcome.output


async def test_options_and_strays(endpoint: Endpoint) -> None:
    async with Telephone(endpoint.bound) as caller:
        caller.send(caller.compose("OPTIONS"))
        answer = await caller.response("OPTIONS")
        assert answer.status == 200
        assert "INVITE" in (answer.headers.first("allow") or "")
        for method in ("BYE", "INFO", "UPDATE", "CANCEL"):
            caller.send(caller.compose(method))
            assert (await caller.response(method)).status == 481
        caller.send(caller.compose("ACK"))
        caller.send(caller.compose("BYE", to="<sip:x@y>;tag=nobody", cseq=2))
        assert (await caller.response("BYE", count=2)).status == 481


async def test_cancel_before_the_answer(endpoint: Endpoint, board: Switchboard, eventually: Eventually) -> None:
    board.only_rings = True
    async with Telephone(endpoint.bound) as caller:
        caller.send(caller.compose("INVITE", call="c1", branch="z9hG4bKc1", body=caller.offer()))
        await caller.response(least=180)
        caller.send(caller.compose("CANCEL", call="c1", branch="z9hG4bKc1"))
        assert (await caller.response("CANCEL")).status == 200
        assert (await caller.response("INVITE")).status == 487
        await eventually(lambda: board.happened == [Ended(EndCause.FAR_END, 487)])
        with pytest.raises(CallOver):
            board.calls[0].answer(OURS)
        assert not [one for one in caller.heard if one.cseq[1] == "INVITE" and getattr(one, "status", 0) == 200]


async def test_stranger_cannot_cancel_another_s_call(endpoint: Endpoint, board: Switchboard) -> None:
    board.only_rings = True
    async with Telephone(endpoint.bound) as caller, Telephone(endpoint.bound, host="127.9.9.9") as stranger:
        caller.send(caller.compose("INVITE", call="c2", branch="z9hG4bKc2", body=caller.offer()))
        await caller.response(least=180)
        forged = caller.compose("CANCEL", call="c2", branch="z9hG4bKc2")
        stranger.send(forged)
        assert (await stranger.response("CANCEL")).status == 481
        assert board.happened == []


async def test_2xx_is_repeated_and_without_an_ack_the_call_ends(
    quick: Endpoint, board: Switchboard, eventually: Eventually
) -> None:
    async with Telephone(quick.bound) as caller:
        caller.send(caller.compose("INVITE", call="noack", body=caller.offer()))
        await caller.response(count=3)
        bye = await caller.request("BYE")
        caller.reply(bye, 200)
        await eventually(lambda: board.happened == [Ended(EndCause.LOST)])
        assert quick.calls == {}


async def test_late_repetition_of_invite_behind_the_ack_is_absorbed(quick: Endpoint, board: Switchboard) -> None:
    async with Telephone(quick.bound) as caller:
        invite = caller.compose("INVITE", call="again", branch="z9hG4bKagain", body=caller.offer())
        caller.send(invite)
        call = Dialled(caller, "again", "12345", await caller.response())
        call.ack()
        caller.send(invite)
        call.bye()
        await caller.response("BYE")
        assert len(board.calls) == 1
        assert {one.status for one in caller.heard if hasattr(one, "status")} <= {100, 180, 200}


async def test_same_request_by_two_ways_is_a_loop(endpoint: Endpoint, board: Switchboard) -> None:
    async with Telephone(endpoint.bound) as caller:
        for branch in ("z9hG4bKway1", "z9hG4bKway2"):
            caller.send(caller.compose("INVITE", call="merged", branch=branch, body=caller.offer()))
        statuses = {(await caller.response(count=number)).status for number in (1, 2)}
        assert statuses == {200, 482}
        assert len(board.calls) == 1


async def test_out_of_order_request_is_refused(endpoint: Endpoint) -> None:
    async with Telephone(endpoint.bound) as caller:
        call = await caller.call()
        caller.send(call.within("INFO", 1))
        assert (await caller.response("INFO")).status == 500
        call.bye()
        assert (await caller.response("BYE")).status == 200


async def offer() -> bytes:
    return OURS


async def test_reinvite_both_ways(endpoint: Endpoint, board: Switchboard, eventually: Eventually) -> None:
    async with Telephone(endpoint.bound) as caller:
        call = await caller.call()
        caller.send(call.within("INVITE", 2, body=caller.offer()))
        assert (await caller.response(count=2)).status == 200
        call.ack(2)
        await eventually(lambda: len([one for one in board.happened if isinstance(one, Confirmed)]) == 2)
        ours = board.calls[0]
        changing = asyncio.create_task(ours.reinvite(offer))
        invite = await caller.request("INVITE")
        caller.reply(invite, 200, body="v=0\r\n")
        assert await changing == b"v=0\r\n"
        assert (await caller.request("ACK")).cseq[0] == invite.cseq[0]
        refused = asyncio.create_task(ours.reinvite(offer))
        caller.reply(await caller.request("INVITE", count=2), 488)
        with pytest.raises(ReofferRefused) as caught:
            await refused
        assert not caught.value.retryable


async def test_outgoing_refused_acknowledged(endpoint: Endpoint) -> None:
    async with Telephone(endpoint.bound) as device:
        call = dial(endpoint, device)
        device.reply(await device.request("INVITE"), 486)
        assert await next_event(call) == Ended(EndCause.REFUSED, 486)
        assert (await device.request("ACK")).cseq == (1, "ACK")


async def test_outgoing_hung_up_before_any_response_is_cancelled_when_that_may_be(endpoint: Endpoint) -> None:
    async with Telephone(endpoint.bound) as device:
        call = dial(endpoint, device)
        invite = await device.request("INVITE")
        call.hang_up()
        assert [one for one in device.heard if one.cseq[1] == "CANCEL"] == []
        device.reply(invite, 180)
        cancel = await device.request("CANCEL")
        assert cancel.vias[0].branch == invite.vias[0].branch


async def test_fork_s_second_answer_is_ended(endpoint: Endpoint) -> None:
    async with Telephone(endpoint.bound) as device:
        call = dial(endpoint, device)
        invite = await device.request("INVITE")
        device.reply(invite, 200, tag="one", body="v=0\r\n")
        device.reply(invite, 200, tag="two", body="v=0\r\n")
        assert isinstance(await next_event(call), Answered)
        bye = await device.request("BYE")
        assert bye.to_address.tag == "two"
        assert not call.is_over


async def test_repeated_2xx_is_acknowledged_again(endpoint: Endpoint) -> None:
    async with Telephone(endpoint.bound) as device:
        dial(endpoint, device)
        invite = await device.request("INVITE")
        for _ in range(3):
            device.reply(invite, 200, body="v=0\r\n")
        await device.request("ACK", count=3)


async def test_what_comes_of_an_invite_behind_its_call_is_acknowledged_and_ended(
    quick: Endpoint, eventually: Eventually
) -> None:
    """Nothing of the call is kept for that but what was sent, and that for 64·T1."""
    async with Telephone(quick.bound) as device:
        call = dial(quick, device)
        invite = await device.request("INVITE")
        device.reply(invite, 200, tag="one", body="v=0\r\n")
        ack = await device.request("ACK")
        call.hang_up()
        device.reply(await device.request("BYE"), 200)
        await eventually(lambda: not quick._asked)
        device.reply(invite, 200, tag="one", body="v=0\r\n")
        assert bytes(await device.request("ACK", count=2)) == bytes(ack)
        device.reply(invite, 200, tag="two", body="v=0\r\n")

        def asked_of_two() -> dict[str, Request]:
            return {one.method: one for one in device.heard if isinstance(one, Request) and one.to_address.tag == "two"}

        await device.until(lambda: asked_of_two().keys() >= {"ACK", "BYE"})
        assert asked_of_two()["ACK"].cseq == (invite.cseq[0], "ACK")
        device.reply(asked_of_two()["BYE"], 200)
        await eventually(lambda: not len(quick._late))


async def test_silent_device_is_lost(quick: Endpoint) -> None:
    async with Telephone(quick.bound) as device:
        call = dial(quick, device)
        assert await next_event(call) == Ended(EndCause.LOST, 408)
        assert len([one for one in device.heard if one.cseq[1] == "INVITE"]) > 3


async def test_dead_connection_is_lost(endpoint: Endpoint) -> None:
    async with Telephone(endpoint.bound, tcp=True) as device:
        pass
    assert await next_event(dial(endpoint, device)) == Ended(EndCause.LOST, 408)


async def test_tcp_pings_trickles_and_floods(endpoint: Endpoint, eventually: Eventually) -> None:
    async with Telephone(endpoint.bound, tcp=True) as pinging, Telephone(endpoint.bound, tcp=True) as slow:
        pinging.send(b"\r\n\r\n")
        await eventually(lambda: pinging.raw == [b"\r\n"])
        slow.send(slow.compose("OPTIONS", body="x" * 50)[:-20])
        await eventually(lambda: slow.is_closed, deadline_s=3)
        assert b" 400 " in slow.raw[0]


async def test_stranger_s_connections_cost_nothing_beside_their_messages(board: Switchboard) -> None:
    async with Endpoint(board, Guard(GuardSettings()), TransportSettings()) as endpoint:
        for _ in range(GuardSettings().stranger_burst):
            async with Telephone(endpoint.bound, host="127.6.6.8", tcp=True) as one:
                one.send(one.compose("OPTIONS"))
                assert (await one.response("OPTIONS")).status == 200


async def test_flood_from_a_stranger_harms_nobody_else(board: Switchboard) -> None:
    guard = Guard(GuardSettings())
    async with (
        Endpoint(board, guard, TransportSettings()) as endpoint,
        Telephone(endpoint.bound, host="127.6.6.6") as flooder,
        Telephone(endpoint.bound, host="127.6.6.7") as caller,
    ):
        for _ in range(300):
            flooder.send(flooder.compose("OPTIONS"))
        assert (await caller.call()).answer.status == 200
        # 32 at once, and the few that the bucket gains while the flood lasts.
        assert len(flooder.heard) < 64


async def test_one_address_cannot_have_all_transactions(
    quick: Endpoint, monkeypatch: pytest.MonkeyPatch, eventually: Eventually
) -> None:
    monkeypatch.setattr("channels.phone.serving._OPEN", 10)
    async with Telephone(quick.bound, host="127.0.0.66") as greedy, Telephone(quick.bound) as other:
        for number in range(20):
            greedy.send(greedy.compose("INVITE", call=f"i{number}", body=greedy.offer()))

        def answers() -> dict[str, int]:
            """To each; a 200 that nobody acknowledges comes again."""
            return {one.call_id: one.status for one in greedy.heard if isinstance(one, Response) and one.status >= 200}

        await eventually(lambda: len(answers()) == 20)
        assert sorted(answers().values()) == [200] * 8 + [503] * 12
        other.send(other.compose("OPTIONS"))
        assert (await other.response("OPTIONS")).status == 200
        await eventually(lambda: not len(quick._served))
        greedy.send(greedy.compose("OPTIONS", call="later"))
        assert (await greedy.response("OPTIONS")).status == 200


async def test_what_has_its_answer_makes_room(endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("channels.phone.serving._KEPT", 4)
    async with Telephone(endpoint.bound) as device:
        asked = [device.compose("OPTIONS", call=f"o{number}") for number in range(6)]

        async def status(number: int, count: int) -> int:
            device.send(asked[number])
            return (await device.response("OPTIONS", count=count)).status

        first = [await status(number, number + 1) for number in range(6)]
        assert first == [200] * 4 + [503] * 2, "a repetition of each may still be on its way"
        monkeypatch.setattr("channels.phone.serving._KEPT_S", 0.0)
        assert await status(4, 7) == 200
        assert len(endpoint._served) == 4, "the oldest has made room"


async def test_stream_that_cannot_be_followed_is_answered_and_closed(
    endpoint: Endpoint, board: Switchboard, eventually: Eventually
) -> None:
    async with Telephone(endpoint.bound, tcp=True) as caller:
        broken = caller.compose("OPTIONS", call="broken").replace(b"Content-Length: 0", b"Content-Length: -1")
        caller.send(caller.compose("INVITE", call="before", body=caller.offer()) + broken + caller.compose("OPTIONS"))
        assert (await caller.response("INVITE")).status == 200, "the answer to what came before is let out"
        assert (await caller.response("OPTIONS")).status == 400
        await eventually(lambda: caller.is_closed, deadline_s=3)
        assert len([one for one in caller.heard if one.cseq[1] == "OPTIONS"]) == 1


async def test_response_that_went_another_way_is_dropped(endpoint: Endpoint) -> None:
    async with Telephone(endpoint.bound) as device:
        call = dial(endpoint, device)
        invite = await device.request("INVITE")
        device.reply(invite, 486, extra=("Via: SIP/2.0/UDP 255.255.255.255;branch=z9hG4bKfar",))
        device.reply(invite, 603)
        assert await next_event(call) == Ended(EndCause.REFUSED, 603)


async def test_scanner_hears_nothing(endpoint: Endpoint) -> None:
    async with Telephone(endpoint.bound) as scanner:
        scanner.send(scanner.compose("OPTIONS", extra=("User-Agent: friendly-scanner",)))
        scanner.send(scanner.compose("OPTIONS", call="honest"))
        await scanner.response("OPTIONS")
        assert [one.call_id for one in scanner.heard] == ["honest"]
