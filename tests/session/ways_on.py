"""What callers live through whom nobody can take: stories as those of `tests.session.stories`."""

from collections.abc import Mapping
from dataclasses import replace

from session import events as ev
from session.ids import LegId
from session.state import LegEnd, Medium
from session.switch import Purpose
from session.ways import Patience, Way
from tests.session.script import (
    CALL_AGAIN,
    CLOSED,
    FULL,
    OPENED_BY_CALL,
    UNBROUGHT,
    WANG,
    accept,
    attempt,
    call,
    chat,
    claimed,
    hangs_up,
    kept_out,
    offer,
    presses,
    sent,
    spoke,
    timer,
)

WAYS_ON: Mapping[str, tuple[ev.Event, ...]] = {
    "out of hours: a voice message, heard by an agent": (
        OPENED_BY_CALL,
        kept_out(CLOSED),
        presses("3"),
        spoke(),
        hangs_up(),
        offer(1, medium=Medium.MESSAGE),
        accept(1),
        ev.ContactFinished(by=WANG),
    ),
    "out of hours: called back when people are there again": (
        OPENED_BY_CALL,
        kept_out(CLOSED),
        timer("choice"),
        presses("2"),
        timer("retry"),
        hangs_up(attempt(5), LegEnd.NODE_LOST),
    ),
    "out of hours: by a link": (
        OPENED_BY_CALL,
        kept_out(CLOSED),
        presses("1"),
        sent(),
        chat(),
        offer(1),
    ),
    "out of hours: the link does not come": (
        OPENED_BY_CALL,
        kept_out(CLOSED),
        presses("1"),
        ev.LinkFailed(purpose=Purpose.SWITCH, reason="nowhere", link="3.0"),
        presses("1"),
        hangs_up(),
    ),
    "out of hours, by a number that nobody can call: by a link that does not come": (
        OPENED_BY_CALL,
        claimed(CLOSED),
        presses("1"),
        hangs_up(),
        ev.LinkFailed(purpose=Purpose.SWITCH, reason="nowhere", link="3.0"),
    ),
    "out of hours: by a link that the carrier does not bring": (
        OPENED_BY_CALL,
        kept_out(CLOSED),
        presses("1"),
        sent(),
        UNBROUGHT,
    ),
    "out of hours, by a number that nobody can call: by a link that the carrier does not bring": (
        OPENED_BY_CALL,
        claimed(CLOSED),
        presses("1"),
        sent(),
        UNBROUGHT,
    ),
    "out of hours: waits for the link on the line": (
        OPENED_BY_CALL,
        kept_out(CLOSED),
        presses("1"),
        timer("choice"),
        timer("choice"),
        timer("choice"),
    ),
    "the line is full, and nothing is chosen": (
        OPENED_BY_CALL,
        kept_out(FULL),
        timer("choice"),
        timer("choice"),
        timer("choice"),
    ),
    "out of hours: nothing is chosen": (
        OPENED_BY_CALL,
        kept_out(CLOSED),
        timer("choice"),
        timer("choice"),
        timer("choice"),
    ),
    "out of hours: calls again, with a voice message in line": (
        OPENED_BY_CALL,
        kept_out(CLOSED),
        presses("3"),
        spoke(),
        hangs_up(),
        kept_out(CLOSED, CALL_AGAIN),
        timer("choice"),
        timer("choice"),
    ),
    "a voice message before an agent, and its citizen calls again": (
        OPENED_BY_CALL,
        kept_out(CLOSED),
        presses("3"),
        spoke(),
        offer(1, medium=Medium.MESSAGE),
    ),
    "the line is full, and the call is owed": (
        OPENED_BY_CALL,
        kept_out(FULL),
        hangs_up(),
        kept_out(FULL, CALL_AGAIN),
        call(LegId("third-try")),
    ),
    "waits too long: another line, then called back": (
        OPENED_BY_CALL,
        replace(call(), patience=Patience(300, "night", (Way.CALL_BACK, Way.MESSAGE))),
        timer("patience"),
        timer("patience"),
        offer(1, medium=Medium.VOICE),
        presses("2"),
        hangs_up(),
    ),
    "waits too long before an agent, and says it now": (
        OPENED_BY_CALL,
        replace(call(), patience=Patience(300, "", (Way.MESSAGE,))),
        offer(1, medium=Medium.VOICE),
        timer("patience"),
        presses("3"),
        spoke(0.0),
    ),
}
