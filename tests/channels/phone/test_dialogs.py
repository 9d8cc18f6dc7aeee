"""The dialog machine cell by cell: every event in every state of RFC 4235's figure 3, from both ends, and what may come
besides, on a clock that jumps.

A row is a state and the way to it; its cells are the events that do something there, with the state that follows and
what is sent and told then. Whatever is not named changes nothing and is answered by nothing. The transactions beneath
have their own tables (`sip/test_state_diagrams.py`).
"""

from collections.abc import Mapping

import pytest

from tests.channels.phone.clockwork import run
from tests.channels.phone.scene import Scene

TRYING, PROCEEDING, EARLY, CONFIRMED, TERMINATED = "trying", "proceeding", "early", "confirmed", "terminated"
Cell = tuple[str, str]
Row = Mapping[str, Cell]

WITHIN = ("BYE", "BYE out of order", "INVITE", "UPDATE", "UPDATE with an offer", "INFO", "OPTIONS", "REFER")
OF_BOTH = (
    *(f"we {act}" for act in ("hang up", "offer anew", "agree", "disagree", "lose the way")),
    *(f"they {request}" for request in WITHIN),
    "64*T1",
    "the session's time",
)
OF_CALLERS = ("they 100", "they 180", "they 180 elsewhere", "they 200", "they 200 elsewhere", "they 481", "they 486")
OF_CALLEES = ("we ring", "we answer", "we refuse", "they CANCEL", "they ACK", "they INVITE again")
ANSWERED_ANEW = ("they 200", "they 481", "they 486")


def nobody_knows(state: str) -> Row:
    """Requests within no dialog of ours (section 12.2.2)."""
    return {f"they {one}": (state, f"481/{one.split()[0]}") for one in WITHIN}


def cannot(state: str, *acts: str) -> Row:
    return {f"we {act}": (state, "cannot") for act in acts}


UNANSWERED = ("offer anew", "agree")

# --- we call ---------------------------------------------------------------------------------------------------------

HEARD: Row = {
    "they 180": (EARLY, "ringing:180"),
    "they 180 elsewhere": (EARLY, "ringing:180"),
    "they 200": (CONFIRMED, "ACK answered"),
    "they 200 elsewhere": (CONFIRMED, "ACK answered"),
    "they 481": (TERMINATED, "ACK ended:refused"),
    "they 486": (TERMINATED, "ACK ended:refused"),
    "we lose the way": (TERMINATED, "ended:lost"),
}
GIVEN_UP: Row = {
    **nobody_knows(TERMINATED),
    **cannot(TERMINATED, *UNANSWERED),
    "they 200": (TERMINATED, "ACK BYE"),
    "they 200 elsewhere": (TERMINATED, "ACK BYE"),
    "they 481": (TERMINATED, "ACK"),
    "they 486": (TERMINATED, "ACK"),
}
"""Whoever answers all the same is taken and ended at once (section 13.2.2.4)."""
TALKING: Row = {
    **cannot(CONFIRMED, "agree"),
    "we hang up": (TERMINATED, "BYE ended:ours"),
    "we offer anew": (CONFIRMED, "INVITE"),
    "they BYE": (TERMINATED, "200/BYE ended:far_end"),
    "they INVITE": (CONFIRMED, "reoffered"),
    "they UPDATE": (CONFIRMED, "200/UPDATE"),
    "they UPDATE with an offer": (CONFIRMED, "reoffered"),
    "they INFO": (CONFIRMED, "200/INFO"),
    "they OPTIONS": (CONFIRMED, "200/OPTIONS"),
    "they REFER": (CONFIRMED, "referred"),
}
THEY_CHANGE: Row = {
    **TALKING,
    "we agree": (CONFIRMED, "200/INVITE"),
    "we disagree": (CONFIRMED, "488/INVITE"),
    "we hang up": (TERMINATED, "487/INVITE BYE ended:ours"),
    "we offer anew": (CONFIRMED, ""),
    "they BYE": (TERMINATED, "200/BYE 487/INVITE ended:far_end"),
    "they INVITE": (CONFIRMED, "500/INVITE"),
    "they UPDATE with an offer": (CONFIRMED, "500/UPDATE"),
    "they BYE out of order": (CONFIRMED, "500/BYE"),
}
"""Section 14.2: their offer waits for our answer; ours waits its turn."""
WE_CHANGE: Row = {
    **TALKING,
    "they 200": (CONFIRMED, "ACK"),
    "they 486": (CONFIRMED, "ACK"),
    "they 481": (TERMINATED, "ACK BYE ended:ours"),
    "we hang up": (TERMINATED, "BYE ended:ours cannot"),
    "we lose the way": (TERMINATED, "BYE ended:lost cannot"),
    "we offer anew": (CONFIRMED, ""),
    "they BYE": (TERMINATED, "200/BYE ended:far_end cannot"),
    "they INVITE": (CONFIRMED, "491/INVITE"),
    "they UPDATE with an offer": (CONFIRMED, "491/UPDATE"),
    "64*T1": (TERMINATED, "INVITE BYE ended:lost cannot"),
    "the session's time": (TERMINATED, "INVITE BYE ended:lost cannot"),
}
OVER: Row = {**nobody_knows(TERMINATED), **cannot(TERMINATED, *UNANSWERED)}

CALLER: Mapping[str, tuple[tuple[str, ...], Row]] = {
    "trying": (
        (),
        {
            **nobody_knows(TRYING),
            **cannot(TRYING, *UNANSWERED),
            **HEARD,
            "they 100": (PROCEEDING, ""),
            "we hang up": (TERMINATED, "ended:ours"),
            "64*T1": (TERMINATED, "INVITE ended:lost"),
            "the session's time": (TERMINATED, "INVITE ended:lost"),
        },
    ),
    "proceeding": (
        ("they 100",),
        {
            **nobody_knows(PROCEEDING),
            **cannot(PROCEEDING, *UNANSWERED),
            **HEARD,
            "we hang up": (TERMINATED, "CANCEL ended:ours"),
        },
    ),
    "early": (
        ("they 180",),
        {
            **nobody_knows(EARLY),
            **cannot(EARLY, *UNANSWERED),
            **HEARD,
            "we hang up": (TERMINATED, "CANCEL ended:ours"),
            "they UPDATE": (EARLY, "200/UPDATE"),
            "they UPDATE with an offer": (EARLY, "488/UPDATE"),
        },
    ),
    "given up before anything was heard": (
        ("we hang up",),
        {
            **GIVEN_UP,
            "they 100": (TERMINATED, "CANCEL"),
            "they 180": (TERMINATED, "CANCEL"),
            "they 180 elsewhere": (TERMINATED, "CANCEL"),
            "64*T1": (TERMINATED, "INVITE"),
            "the session's time": (TERMINATED, "INVITE"),
        },
    ),
    "given up while it rang": (
        ("they 180", "we hang up"),
        {**GIVEN_UP, "64*T1": (TERMINATED, "CANCEL"), "the session's time": (TERMINATED, "CANCEL")},
    ),
    "confirmed": (
        ("they 200",),
        {
            **TALKING,
            "they 200": (CONFIRMED, "ACK"),
            "they 200 elsewhere": (CONFIRMED, "ACK BYE"),
            "they BYE out of order": TALKING["they BYE"],  # any number may be their first
        },
    ),
    "confirmed, they change it": (
        ("they 200", "they INVITE"),
        {**THEY_CHANGE, "they 200": (CONFIRMED, "ACK"), "they 200 elsewhere": (CONFIRMED, "ACK BYE")},
    ),
    "confirmed, we change it": (
        ("they 200", "we offer anew"),
        {**WE_CHANGE, "they 200 elsewhere": (CONFIRMED, "ACK"), "they BYE out of order": WE_CHANGE["they BYE"]},
    ),
    "terminated": (
        ("they 200", "they BYE"),
        {**OVER, "they 200": (TERMINATED, "ACK"), "they 200 elsewhere": (TERMINATED, "ACK BYE")},
    ),
}

# --- they call -------------------------------------------------------------------------------------------------------

ANSWERING: Row = {
    "we ring": (EARLY, "180/INVITE"),
    "we answer": (CONFIRMED, "200/INVITE"),
    "we refuse": (TERMINATED, "486/INVITE ended:refused"),
    "we hang up": (TERMINATED, "480/INVITE ended:refused"),
    "they CANCEL": (TERMINATED, "200/CANCEL 487/INVITE ended:far_end"),
}
KEPT_TIME = {"the session's time": (TERMINATED, "UPDATE BYE ended:lost")}
"""We refresh it (RFC 4028): whoever does not answer that is gone."""
ANSWERED = {
    **cannot(CONFIRMED, "ring", "answer", "refuse"),
    "they CANCEL": (CONFIRMED, "200/CANCEL"),
    "they BYE out of order": (CONFIRMED, "500/BYE"),
}
PARTING: Row = {
    **OVER,
    **cannot(TERMINATED, "ring", "answer"),
    "they ACK": (TERMINATED, "BYE"),
    "they BYE": (TERMINATED, "200/BYE"),
    "they BYE out of order": (TERMINATED, "200/BYE"),
    "they CANCEL": (TERMINATED, "200/CANCEL"),
    "64*T1": (TERMINATED, "200/INVITE BYE"),
    "the session's time": (TERMINATED, "200/INVITE BYE"),
}

CALLEE: Mapping[str, tuple[tuple[str, ...], Row]] = {
    "proceeding": (
        (),
        {
            **nobody_knows(PROCEEDING),
            **cannot(PROCEEDING, *UNANSWERED),
            **ANSWERING,
            "they INVITE again": (PROCEEDING, "100/INVITE"),
            "64*T1": (PROCEEDING, "100/INVITE"),
            "the session's time": (PROCEEDING, "100/INVITE"),
        },
    ),
    "early": (
        ("we ring",),
        {
            **cannot(EARLY, *UNANSWERED),
            **ANSWERING,
            "they INVITE again": (EARLY, "180/INVITE"),
            "they BYE": (TERMINATED, "487/INVITE 200/BYE ended:far_end"),
            "they BYE out of order": (EARLY, "500/BYE"),
            "they INVITE": (EARLY, "500/INVITE"),
            "they UPDATE": (EARLY, "500/UPDATE"),
            "they UPDATE with an offer": (EARLY, "500/UPDATE"),
            "they INFO": (EARLY, "200/INFO"),
            "they OPTIONS": (EARLY, "200/OPTIONS"),
            "they REFER": (EARLY, "403/REFER"),
        },
    ),
    "confirmed, not acknowledged": (
        ("we answer",),
        {
            **TALKING,
            **ANSWERED,
            "we hang up": (TERMINATED, "ended:ours"),
            "we offer anew": (CONFIRMED, ""),
            "they ACK": (CONFIRMED, "confirmed"),
            "64*T1": (TERMINATED, "200/INVITE BYE ended:lost"),
            "the session's time": (TERMINATED, "200/INVITE BYE ended:lost"),
        },
    ),
    "hung up on, not acknowledged": (("we answer", "we hang up"), PARTING),
    "confirmed": (("we answer", "they ACK"), {**TALKING, **ANSWERED, **KEPT_TIME}),
    "confirmed, they change it": (
        ("we answer", "they ACK", "they INVITE"),
        {**THEY_CHANGE, **ANSWERED, **KEPT_TIME},
    ),
    "confirmed, we change it": (("we answer", "they ACK", "we offer anew"), {**WE_CHANGE, **ANSWERED}),
    "terminated": (
        ("we answer", "they ACK", "they BYE"),
        {**OVER, **cannot(TERMINATED, "ring", "answer"), "they CANCEL": (TERMINATED, "200/CANCEL")},
    ),
}

ROLES: Mapping[str, tuple[bool, Mapping[str, tuple[tuple[str, ...], Row]], tuple[str, ...]]] = {
    "caller": (True, CALLER, (*OF_CALLERS, *OF_BOTH)),
    "callee": (False, CALLEE, (*OF_CALLEES, *OF_BOTH)),
}


@pytest.mark.parametrize(("role", "state"), [(role, state) for role, (_, rows, _) in ROLES.items() for state in rows])
def test_every_event_in_every_state(role: str, state: str) -> None:
    we_call, rows, events = ROLES[role]
    way, row = rows[state]
    if "we offer anew" in way:
        events = tuple(dict.fromkeys((*events, *ANSWERED_ANEW)))
    found: dict[str, tuple[Cell, Cell]] = {}

    async def every_event() -> None:
        for event in events:
            async with Scene(we_call) as scene:
                for step in way:
                    await scene.happens(step)
                before = scene.state
                done = await scene.happens(event)
                wanted = row.get(event, (before, ""))
                if (scene.state, done) != wanted:
                    found[event] = ((scene.state, done), wanted)

    run(every_event())
    assert found == {}
    assert set(row) <= set(events), "a cell that nothing asks for"


def test_what_waited_for_the_ack_goes_out_with_it() -> None:
    """Sections 14.1 and 15: neither BYE nor INVITE of ours overtakes it."""

    async def story() -> None:
        async with Scene(we_call=False) as scene:
            await scene.happens("we answer")
            assert await scene.happens("we offer anew") == ""
            assert await scene.happens("they ACK") == "INVITE confirmed"
        async with Scene(we_call=False) as scene:
            await scene.happens("we answer")
            await scene.happens("we hang up")
            assert await scene.happens("they ACK") == "BYE"
            assert not scene.endpoint.calls
            assert await scene.happens("64*T1") == "BYE", "repeated until somebody answers it"

    run(story())
