"""The four machines of RFC 3261, section 17, and RFC 6026, as scripts of messages and times."""

from typing import Any

import pytest

from channels.phone.errors import CallOver
from channels.phone.sip.client import Deliver, InviteClient, NonInviteClient, State, TimedOut, Transmit, cancellation
from channels.phone.sip.framing import frame_datagram
from channels.phone.sip.message import Request, Response, respond
from channels.phone.sip.reading import read
from channels.phone.sip.server import Acceptance, InviteServer, NonInviteServer, transaction_key
from channels.phone.sip.timing import Timing
from tests.channels.phone.sip.messages import SDP, request

TIMING = Timing()


def parsed(wire: bytes) -> Request:
    frame = frame_datagram(wire)
    assert frame is not None
    message = read(frame)
    assert isinstance(message, Request)
    return message


def invite(**changed: Any) -> Request:
    return parsed(request("INVITE", body=SDP, **changed))


def answer(to: Request, status: int) -> Response:
    return respond(to, status, to_tag="far")


def server(reliable: bool = False) -> InviteServer:
    asked = invite()
    return InviteServer(asked, transaction_key(asked, "x"), reliable=reliable, timing=TIMING)


def test_invite_is_repeated_by_timer_a_and_given_up_by_timer_b() -> None:
    machine = InviteClient(invite(), reliable=False, timing=TIMING)
    assert machine.start(0.0) == [Transmit(machine.request)]
    sent_at, now = [], 0.0
    while machine.state is State.CALLING:
        now = machine.timers.next_deadline or 1e9
        for action in machine.advance(now):
            if isinstance(action, Transmit):
                sent_at.append(now)
            else:
                assert action == TimedOut()
    assert sent_at == [0.5, 1.5, 3.5, 7.5, 15.5, 31.5]
    assert now == 32.0


def test_invite_over_tcp_is_sent_once() -> None:
    machine = InviteClient(invite(), reliable=True, timing=TIMING)
    machine.start(0.0)
    assert machine.advance(31.9) == []
    assert machine.advance(32.0) == [TimedOut()]


def test_provisional_stops_the_repetition_and_the_wait() -> None:
    machine = InviteClient(invite(), reliable=False, timing=TIMING)
    machine.start(0.0)
    ringing = answer(machine.request, 180)
    assert machine.receive(ringing, 0.1) == [Deliver(ringing)]
    assert machine.timers.next_deadline is None


def test_refusal_is_acknowledged_each_time_and_told_once() -> None:
    machine = InviteClient(invite(), reliable=False, timing=TIMING)
    machine.start(0.0)
    busy = answer(machine.request, 486)
    first, told = machine.receive(busy, 1.0)
    assert told == Deliver(busy)
    assert isinstance(first, Transmit)
    assert isinstance(first.message, Request)
    assert first.message.method == "ACK"
    assert first.message.vias == machine.request.vias
    assert first.message.to_address.tag == "far"
    assert machine.receive(busy, 1.5) == [first]
    assert machine.advance(33.0) == []
    assert machine.is_over


def test_every_2xx_is_told_while_accepted() -> None:
    machine = InviteClient(invite(), reliable=False, timing=TIMING)
    machine.start(0.0)
    ok = answer(machine.request, 200)
    assert machine.receive(ok, 1.0) == machine.receive(ok, 2.0) == [Deliver(ok)]
    assert machine.receive(answer(machine.request, 486), 2.5) == []
    machine.advance(33.0)
    assert machine.is_over
    assert machine.receive(ok, 34.0) == []


def test_cancel_has_the_branch_of_its_invite() -> None:
    asked = invite()
    cancel = cancellation(asked)
    assert (cancel.vias, cancel.cseq) == (asked.vias, (asked.cseq[0], "CANCEL"))


def test_other_requests_are_repeated_up_to_t2() -> None:
    machine = NonInviteClient(parsed(request()), reliable=False, timing=TIMING)
    machine.start(0.0)
    sent_at: list[float] = []
    while not machine.is_over:
        now = machine.timers.next_deadline or 1e9
        sent_at += [now for action in machine.advance(now) if isinstance(action, Transmit)]
    assert sent_at == [0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]


def test_final_response_is_told_once() -> None:
    machine = NonInviteClient(parsed(request()), reliable=False, timing=TIMING)
    machine.start(0.0)
    ok = answer(machine.request, 200)
    assert machine.receive(ok, 0.2) == [Deliver(ok)]
    assert machine.receive(ok, 0.3) == []
    machine.advance(5.3)
    assert machine.is_over


def test_failed_transport_counts_as_a_time_out_once() -> None:
    machine = NonInviteClient(parsed(request()), reliable=True, timing=TIMING)
    machine.start(0.0)
    assert machine.fail() == [TimedOut()]
    assert machine.fail() == []


def test_server_repeats_a_refusal_until_its_ack() -> None:
    machine = server()
    busy = answer(machine.request, 486)
    assert machine.respond(busy, 0.0) == [Transmit(busy)]
    assert machine.repeat() == [Transmit(busy)]
    assert machine.advance(0.5) == [Transmit(busy)]
    assert machine.advance(1.5) == [Transmit(busy)]
    assert machine.acknowledge(1.6)
    assert machine.state is State.CONFIRMED
    assert machine.repeat() == []
    machine.advance(6.6)
    assert machine.is_over


def test_server_gives_up_without_an_ack() -> None:
    machine = server(reliable=True)
    machine.respond(answer(machine.request, 486), 0.0)
    assert machine.advance(32.0) == [TimedOut()]
    assert machine.is_over


def test_server_absorbs_repetitions_behind_a_2xx_and_leaves_its_ack_to_the_dialog() -> None:
    machine = server()
    ringing = answer(machine.request, 180)
    machine.respond(ringing, 0.0)
    assert machine.repeat() == [Transmit(ringing)]
    machine.respond(answer(machine.request, 200), 0.1)
    assert machine.repeat() == []
    assert not machine.acknowledge(0.2)
    with pytest.raises(CallOver):
        machine.respond(answer(machine.request, 487), 0.3)
    machine.advance(32.1)
    assert machine.is_over


def test_server_keeps_the_answer_to_other_requests() -> None:
    asked = parsed(request())
    machine = NonInviteServer(asked, transaction_key(asked, "x"), reliable=False, timing=TIMING)
    assert machine.repeat() == []
    ok = answer(machine.request, 200)
    machine.respond(ok, 0.0)
    assert machine.repeat() == [Transmit(ok)]
    machine.advance(32.0)
    assert machine.is_over


def test_2xx_is_repeated_until_the_ack() -> None:
    ok = answer(invite(), 200)
    acceptance = Acceptance(ok, 0.0, TIMING)
    assert acceptance.advance(0.5) == acceptance.advance(1.5) == [Transmit(ok)]
    acceptance.acknowledge()
    assert acceptance.advance(100.0) == []
    assert Acceptance(ok, 0.0, TIMING).advance(32.0) == [TimedOut()], "a loop that is late gives up all the same"


def test_2xx_never_acknowledged_is_given_up() -> None:
    acceptance = Acceptance(answer(invite(), 200), 0.0, TIMING)
    last = []
    while not acceptance.is_over:
        last = acceptance.advance(acceptance.timers.next_deadline or 1e9)
    assert last == [TimedOut()]


def test_keys() -> None:
    one = invite(Call_ID="a", Via="SIP/2.0/UDP h;branch=z9hG4bKsame")
    ack = parsed(request("ACK", Call_ID="a", CSeq="7 ACK", Via="SIP/2.0/UDP h;branch=z9hG4bKsame"))
    assert transaction_key(one, "x") == transaction_key(ack, "x")
    assert transaction_key(one, "x") != transaction_key(one, "another sender")
    other = invite(Call_ID="b", Via="SIP/2.0/UDP h;branch=z9hG4bKsame")
    assert transaction_key(one, "x") != transaction_key(other, "x"), "branches that are not unique"
    old = [invite(Call_ID="a", CSeq=f"{number} INVITE", Via="SIP/2.0/UDP h;branch=z9hG4bK") for number in (1, 2)]
    assert transaction_key(old[0], "x") != transaction_key(old[1], "x"), "the bare cookie names nothing"
