"""The control: a queue as one writes it in an afternoon, pop first and write afterwards. It must fail the checker.

`work` runs in a process of its own, which the test kills. It writes the same events as the product does, so that the
same checker reads them.
"""

import time
from typing import Any

import redis

from session.address import Address
from session.codec import decode_event, encode_event
from session.events import (
    ContactFinished,
    Event,
    LegClosed,
    LegOpened,
    OfferAccepted,
    OfferMade,
    SessionOpened,
    TextReceived,
    WrapFinished,
)
from session.ids import AssigneeId, LegId, MessageId, NodeId, SessionId
from session.ports import Entry
from session.state import AssigneeKind, Demand, Leg, LegEnd, Medium, Party

QUEUE = "queue"
AGENT = AssigneeId("8001")
THINKS_S = 0.02
"""Between the pop and the write: what any program does there, here long enough to be met by a kill."""


def bring(store: Any, number: int) -> str:
    """A citizen writes; gives the id of their message, which they are told is accepted."""
    session, leg, word = SessionId(f"naive-{number}"), LegId(f"leg-{number}"), MessageId(f"word-{number}")
    citizen = Address("web", f"visitor{number}")
    opened = Leg(leg, "web", Medium.CHAT, Party.CITIZEN, NodeId("naive"), citizen)
    for event in (
        SessionOpened(citizen=citizen, number="12345", demand=Demand("general")),
        LegOpened(leg=opened),
        TextReceived(leg=leg, message=word, text="您好"),
    ):
        write(store, session, event)
    store.rpush(QUEUE, session)
    return word


def write(store: Any, session: str, event: Event) -> None:
    store.rpush(f"log:{session}", encode_event(event))


def is_done(store: Any, number: int) -> bool:
    """Whether nothing is left to be written of this session."""
    row = store.lindex(f"log:naive-{number}", -1)
    return isinstance(decode_event(row, at=0.0), LegClosed) and not store.hlen("charges")


def logs(store: Any) -> dict[SessionId, list[Entry]]:
    found: dict[SessionId, list[Entry]] = {}
    for key in sorted(store.keys("log:*")):
        session = SessionId(key.decode().removeprefix("log:"))
        rows = store.lrange(key, 0, -1)
        found[session] = [
            Entry(session, version, decode_event(row, at=float(version))) for version, row in enumerate(rows, 1)
        ]
    return found


def work(path: str) -> None:
    """Pop, think, write."""
    store: Any = redis.Redis(unix_socket_path=path)
    while True:
        popped = store.blpop([QUEUE], timeout=0)
        session = SessionId(popped[1].decode())
        time.sleep(THINKS_S)
        leg = LegId(session.replace("naive", "leg"))
        store.hset("charges", AGENT, session)
        for event in (
            OfferMade(token=1, assignee=AGENT, kind=AssigneeKind.AGENT, medium=Medium.CHAT, lease_until=9e9),
            OfferAccepted(token=1, assignee=AGENT, kind=AssigneeKind.AGENT),
            ContactFinished(by=AGENT),
            WrapFinished(by=AGENT),
            LegClosed(leg=leg, reason=LegEnd.CLOSED),
        ):
            write(store, session, event)
        store.hdel("charges", AGENT)
