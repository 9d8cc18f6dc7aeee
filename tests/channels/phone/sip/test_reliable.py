"""RFC 3262 as scripts of messages and times, from either end."""

from typing import Any

import pytest

from channels.phone.errors import MalformedMessage
from channels.phone.sip.client import Action, TimedOut, Transmit
from channels.phone.sip.message import Headers, Request, Response, respond
from channels.phone.sip.reliable import ReliableClient, ReliableServer, is_reliable
from channels.phone.sip.timing import Timing
from tests.channels.phone.sip.test_transactions import invite

ASKED = invite(Supported="100rel", CSeq="1 INVITE")
FIRST = 41


def machine(**changed: Any) -> ReliableServer:
    return ReliableServer(invite(**changed) if changed else ASKED, FIRST, Timing())


def progress(status: int = 183, body: bytes = b"") -> Response:
    return respond(ASKED, status, to_tag="us", body=body)


def prack(rack: str) -> Request:
    return Request(headers=Headers([("RAck", rack)]), method="PRACK", uri=ASKED.uri)


def sent(actions: list[Action] | None) -> list[str]:
    """The RSeq of each response that goes out."""
    assert actions is not None
    return [one.message.headers.first("rseq") or "" for one in actions if isinstance(one, Transmit)]


def test_who_asks_for_it() -> None:
    assert machine(Require="100rel").is_required
    assert machine(Supported="timer, 100rel").is_supported
    assert not machine(Supported="timer").is_supported


def test_repeated_with_doubling_pauses_until_its_prack() -> None:
    one = machine()
    assert sent(one.send(progress(), 0.0)) == ["42"]
    at: list[float] = []
    now = 0.0
    while len(at) < 4:
        now = one.timers.next_deadline or 1e9
        assert sent(one.advance(now)) == ["42"]
        at.append(now)
    assert at == [0.5, 1.5, 3.5, 7.5]
    assert one.acknowledge(prack("42 1 INVITE"), now) == []
    assert one.timers.next_deadline is None


def test_never_acknowledged() -> None:
    one = machine()
    one.send(progress(), 0.0)
    said: list[Action] = []
    while (now := one.timers.next_deadline) is not None:
        said += one.advance(now)
    assert said[-1] == TimedOut()
    assert now is None
    assert len(said) == 7


def test_a_loop_that_is_late_gives_up_all_the_same() -> None:
    """The repetition and the end are due at once."""
    one = machine()
    one.send(progress(), 0.0)
    assert one.advance(32.0) == [TimedOut()]


def test_the_second_waits_for_the_first() -> None:
    one = machine()
    one.send(progress(180), 0.0)
    assert one.send(progress(183, b"v=0"), 0.1) == []
    assert one.holds_up_answer
    assert sent(one.acknowledge(prack("42 1 INVITE"), 0.2)) == ["43"]
    assert one.holds_up_answer
    assert one.acknowledge(prack("43 1 INVITE"), 0.3) == []
    assert not one.holds_up_answer


@pytest.mark.parametrize("rack", ["", "41 1 INVITE", "43 1 INVITE", "42 2 INVITE", "42 1 UPDATE", "42 1", "x 1 INVITE"])
def test_prack_of_something_else(rack: str) -> None:
    one = machine()
    assert one.acknowledge(prack("42 1 INVITE"), 0.0) is None, "before anything was sent"
    one.send(progress(), 0.0)
    assert one.acknowledge(prack(rack), 0.1) is None
    assert one.acknowledge(prack("42 1 INVITE"), 0.2) == []
    assert one.acknowledge(prack("42 1 INVITE"), 0.3) is None, "a second time"


def test_a_final_response_ends_the_repetition() -> None:
    one = machine()
    one.send(progress(body=b"v=0"), 0.0)
    one.finish()
    assert one.timers.next_deadline is None
    assert not one.holds_up_answer


def heard(rseq: str | None, status: int = 183, require: str = "100rel") -> Response:
    extra = [("Require", require)] if require else []
    extra += [("RSeq", rseq)] if rseq is not None else []
    return respond(ASKED, status, to_tag="far", headers=extra)


def test_we_acknowledge_in_order_and_each_once() -> None:
    one = ReliableClient()
    wanted = [("7", "7 1 INVITE"), ("7", None), ("9", None), ("8", "8 1 INVITE"), ("7", None), ("9", "9 1 INVITE")]
    for rseq, rack in wanted:
        assert one.acknowledgement(heard(rseq)) == rack


def test_what_wants_no_prack() -> None:
    assert ReliableClient().acknowledgement(heard("7", require="")) is None
    assert is_reliable(heard("7"))
    assert not is_reliable(heard("7", status=100))
    assert not is_reliable(heard("7", status=200))


@pytest.mark.parametrize("rseq", [None, "", "x", "-1", "4294967296", "9" * 400])
def test_an_rseq_that_is_none(rseq: str | None) -> None:
    with pytest.raises(MalformedMessage):
        ReliableClient().acknowledgement(heard(rseq))
