"""The transaction machines cell by cell: every event in every state of RFC 3261's figures 5 to 8, as RFC 6026 has them.

Each table is the figure: a row for a state, with what each event leads to and what is done then. What a figure has no
arrow for changes nothing. `u` is an unreliable transport, `r` a reliable one.
"""

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from channels.phone.errors import CallOver
from channels.phone.sip.client import Deliver, InviteClient, NonInviteClient, State, TimedOut, Transmit
from channels.phone.sip.message import Request
from channels.phone.sip.server import InviteServer, NonInviteServer, transaction_key
from channels.phone.sip.timing import Timer, Timing
from tests.channels.phone.sip.messages import request
from tests.channels.phone.sip.test_transactions import answer, invite, parsed

TIMING = Timing()
TIMES = {"A", "B", "D", "E", "F", "G", "H", "I", "J", "K", "L", "M"}
CALLING, TRYING, PROCEEDING, COMPLETED, CONFIRMED, ACCEPTED, TERMINATED = State
Cell = tuple[State, str]
"""The state that follows, and what is done: `send`, `ack`, `tell`, `timeout`, or `refused` where nothing may follow."""
Figure = Mapping[str, Mapping[State, Mapping[str, Cell]]]
"""By transport, state and event."""

_OVER: Mapping[str, Cell] = {}

FIGURE_5: Figure = {
    "u": {
        CALLING: {
            "A": (CALLING, "send"),
            "B": (TERMINATED, "timeout"),
            "error": (TERMINATED, "timeout"),
            "1xx": (PROCEEDING, "tell"),
            "2xx": (ACCEPTED, "tell"),
            "300-699": (COMPLETED, "ack tell"),
        },
        PROCEEDING: {
            "error": (TERMINATED, "timeout"),
            "1xx": (PROCEEDING, "tell"),
            "2xx": (ACCEPTED, "tell"),
            "300-699": (COMPLETED, "ack tell"),
        },
        COMPLETED: {"300-699": (COMPLETED, "ack"), "D": (TERMINATED, "")},
        ACCEPTED: {"2xx": (ACCEPTED, "tell"), "M": (TERMINATED, "")},
        TERMINATED: _OVER,
    },
    "r": {
        CALLING: {
            "B": (TERMINATED, "timeout"),
            "error": (TERMINATED, "timeout"),
            "1xx": (PROCEEDING, "tell"),
            "2xx": (ACCEPTED, "tell"),
            "300-699": (TERMINATED, "ack tell"),
        },
        PROCEEDING: {
            "error": (TERMINATED, "timeout"),
            "1xx": (PROCEEDING, "tell"),
            "2xx": (ACCEPTED, "tell"),
            "300-699": (TERMINATED, "ack tell"),
        },
        ACCEPTED: {"2xx": (ACCEPTED, "tell"), "M": (TERMINATED, "")},
        TERMINATED: _OVER,
    },
}
"""INVITE client. Timer D is 0 on a reliable transport: there is no completed state."""

_ASKING: Mapping[str, Cell] = {
    "F": (TERMINATED, "timeout"),
    "error": (TERMINATED, "timeout"),
    "1xx": (PROCEEDING, "tell"),
}
FIGURE_6: Figure = {
    "u": {
        TRYING: {**_ASKING, "E": (TRYING, "send"), "2xx": (COMPLETED, "tell"), "300-699": (COMPLETED, "tell")},
        PROCEEDING: {**_ASKING, "E": (PROCEEDING, "send"), "2xx": (COMPLETED, "tell"), "300-699": (COMPLETED, "tell")},
        COMPLETED: {"K": (TERMINATED, "")},
        TERMINATED: _OVER,
    },
    "r": {
        TRYING: {**_ASKING, "2xx": (TERMINATED, "tell"), "300-699": (TERMINATED, "tell")},
        PROCEEDING: {**_ASKING, "2xx": (TERMINATED, "tell"), "300-699": (TERMINATED, "tell")},
        TERMINATED: _OVER,
    },
}
"""Every other client."""

_REFUSED = {"1xx": "refused", "2xx": "refused", "300-699": "refused"}
_TAKEN: Mapping[str, Cell] = {
    "again": (PROCEEDING, "send"),
    "1xx": (PROCEEDING, "send"),
    "2xx": (ACCEPTED, "send"),
    "300-699": (COMPLETED, "send"),
}


def _nothing_follows(state: State) -> Mapping[str, Cell]:
    return {event: (state, done) for event, done in _REFUSED.items()}


FIGURE_7: Figure = {
    "u": {
        PROCEEDING: _TAKEN,
        COMPLETED: {
            **_nothing_follows(COMPLETED),
            "again": (COMPLETED, "send"),
            "G": (COMPLETED, "send"),
            "H": (TERMINATED, "timeout"),
            "ack": (CONFIRMED, "taken"),
        },
        CONFIRMED: {**_nothing_follows(CONFIRMED), "ack": (CONFIRMED, "taken"), "I": (TERMINATED, "")},
        ACCEPTED: {**_nothing_follows(ACCEPTED), "L": (TERMINATED, "")},
        TERMINATED: _nothing_follows(TERMINATED),
    },
    "r": {
        PROCEEDING: _TAKEN,
        COMPLETED: {
            **_nothing_follows(COMPLETED),
            "again": (COMPLETED, "send"),
            "H": (TERMINATED, "timeout"),
            "ack": (TERMINATED, "taken"),
        },
        ACCEPTED: {**_nothing_follows(ACCEPTED), "L": (TERMINATED, "")},
        TERMINATED: _nothing_follows(TERMINATED),
    },
}
"""INVITE server. A repeated INVITE behind a 2xx is absorbed, and its ACK is the dialog's (RFC 6026, section 7.1)."""

FIGURE_8: Figure = {
    "u": {
        TRYING: {"1xx": (PROCEEDING, "send"), "2xx": (COMPLETED, "send"), "300-699": (COMPLETED, "send")},
        PROCEEDING: {
            "again": (PROCEEDING, "send"),
            "1xx": (PROCEEDING, "send"),
            "2xx": (COMPLETED, "send"),
            "300-699": (COMPLETED, "send"),
        },
        COMPLETED: {**_nothing_follows(COMPLETED), "again": (COMPLETED, "send"), "J": (TERMINATED, "")},
    },
    "r": {
        TRYING: {"1xx": (PROCEEDING, "send"), "2xx": (TERMINATED, "send"), "300-699": (TERMINATED, "send")},
        PROCEEDING: {
            "again": (PROCEEDING, "send"),
            "1xx": (PROCEEDING, "send"),
            "2xx": (TERMINATED, "send"),
            "300-699": (TERMINATED, "send"),
        },
    },
}
"""Every other server. One that is over is forgotten."""

STATUS = {"1xx": 180, "2xx": 200, "300-699": 486}


def client(kind: type[Any], asked: Callable[[], Request]) -> Callable[[bool], Any]:
    def made(reliable: bool) -> Any:
        machine = kind(asked(), reliable=reliable, timing=TIMING)
        machine.start(0.0)
        return machine

    return made


def server(kind: type[Any], asked: Callable[[], Request]) -> Callable[[bool], Any]:
    def made(reliable: bool) -> Any:
        one = asked()
        return kind(one, transaction_key(one, "x"), reliable=reliable, timing=TIMING)

    return made


def other() -> Request:
    return parsed(request())


MACHINES: Mapping[str, tuple[Figure, Callable[[bool], Any]]] = {
    "figure 5": (FIGURE_5, client(InviteClient, invite)),
    "figure 6": (FIGURE_6, client(NonInviteClient, other)),
    "figure 7": (FIGURE_7, server(InviteServer, invite)),
    "figure 8": (FIGURE_8, server(NonInviteServer, other)),
}
CLIENT_EVENTS = ("1xx", "2xx", "300-699", "error", *sorted(TIMES))
SERVER_EVENTS = ("1xx", "2xx", "300-699", "again", "ack", *sorted(TIMES))
WAYS_TO: Mapping[State, tuple[str, ...]] = {
    CALLING: (),
    TRYING: (),
    PROCEEDING: ("1xx",),
    COMPLETED: ("300-699",),
    CONFIRMED: ("300-699", "ack"),
    ACCEPTED: ("2xx",),
}


def happen(machine: Any, event: str) -> str:
    """One event; gives what is done. A timer that does not run cannot fire."""
    is_client = isinstance(machine, InviteClient | NonInviteClient)
    now = 1.0
    if event in TIMES:
        due = running(machine).get(Timer[event])
        return "" if due is None else _named(only(machine, Timer[event], due))
    if event == "error":
        return _named(machine.fail())
    if event == "again":
        return _named(machine.repeat())
    if event == "ack":
        return "taken" if isinstance(machine, InviteServer) and machine.acknowledge(now) else ""
    response = answer(machine.request, STATUS[event])
    try:
        return _named(machine.receive(response, now) if is_client else machine.respond(response, now))
    except CallOver:
        return "refused"


def running(machine: Any) -> dict[Timer, float]:
    deadlines: dict[Timer, float] = machine.timers._deadlines
    return deadlines


def only(machine: Any, timer: Timer, due: float) -> Any:
    """That timer fires, and none of those that would have fired before it."""
    for one in list(running(machine)):
        if one is not timer:
            machine.timers.set(one, due + 1.0)
    return machine.advance(due)


def _named(actions: list[Any]) -> str:
    names = []
    for action in actions:
        match action:
            case Transmit(message=Request(method="ACK")):
                names.append("ack")
            case Transmit():
                names.append("send")
            case Deliver():
                names.append("tell")
            case TimedOut():
                names.append("timeout")
    return " ".join(names)


def in_state(make: Callable[[bool], Any], state: State, transport: str) -> Any:
    machine = make(transport == "r")
    if state is TERMINATED:
        for event in ("300-699", "ack", *sorted(TIMES)):
            happen(machine, event)
    else:
        for event in WAYS_TO[state]:
            happen(machine, event)
    assert machine.state is state
    return machine


@pytest.mark.parametrize("figure", MACHINES)
@pytest.mark.parametrize("transport", ["u", "r"])
def test_every_event_in_every_state(figure: str, transport: str) -> None:
    table, make = MACHINES[figure]
    events = CLIENT_EVENTS if figure in ("figure 5", "figure 6") else SERVER_EVENTS
    wrong = []
    for state, row in table[transport].items():
        for event in events:
            machine = in_state(make, state, transport)
            done = happen(machine, event)
            if (machine.state, done) != row.get(event, (state, "")):
                wrong.append((state.value, event, machine.state.value, done))
    assert wrong == []


@pytest.mark.parametrize("figure", MACHINES)
def test_no_arrow_of_a_figure_is_missing_from_its_table(figure: str) -> None:
    """Every state that a machine can be in has its row, and every timer that runs in a state its arrow."""
    table, make = MACHINES[figure]
    for transport, rows in table.items():
        for state, row in rows.items():
            machine = in_state(make, state, transport)
            assert {timer.name for timer in running(machine)} == TIMES & set(row)
            assert {after for after, _ in row.values()} <= set(rows) | {TERMINATED}
