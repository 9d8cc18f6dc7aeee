"""Whether the laws held: asked of the logs after the world has been broken and has come to rest.

The checker knows nothing of who wrote the evidence. It replays each session's log by the pure machine (law 9) and
compares what comes out with what people were told, and with what agents are charged for.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from session.events import Event, OfferAccepted, OfferMade, SessionOpened, TextReceived
from session.ids import AssigneeId, SessionId
from session.machine import DEFAULT_RULES, replay
from session.ports import Entry
from session.rules import Rules
from session.state import Party, Phase, Session


@dataclass(frozen=True)
class Evidence:
    """All that is left when the world has come to rest: nobody writes, calls or talks any more."""

    logs: Mapping[SessionId, Sequence[Entry]]
    words: frozenset[str]
    """Ids of citizens' messages that were acknowledged to them."""
    callers: frozenset[str]
    """Numbers that were answered, each of which called once."""
    debts: frozenset[str]
    """Numbers that stand in a file of debts."""
    charges: Mapping[AssigneeId, frozenset[SessionId]]
    """What each agent is charged for."""
    rules: Rules = DEFAULT_RULES
    """That the gateways went by."""


def findings(evidence: Evidence) -> list[str]:
    """Every law that was broken, in words. Empty when all is well."""
    return [
        *_lost_words(evidence),
        *_lost_calls(evidence),
        *(found for session, log in evidence.logs.items() for found in _of_one(session, log, evidence.rules)),
        *_leaked(evidence),
    ]


def _lost_words(evidence: Evidence) -> Iterator[str]:
    """Law 1 and law 8: what was acknowledged is in the log, once."""
    kept = Counter(
        str(entry.event.message)
        for log in evidence.logs.values()
        for entry in log
        if isinstance(entry.event, TextReceived)
    )
    yield from (f"acknowledged and lost: message {word}" for word in sorted(evidence.words - kept.keys()))
    yield from (f"kept {count} times: message {word}" for word, count in kept.items() if count > 1)


def _lost_calls(evidence: Evidence) -> Iterator[str]:
    """Law 1: whoever was answered has a session, or is owed a call."""
    known = {_number(log) for log in evidence.logs.values()} | evidence.debts
    yield from (f"answered and lost: a call from {caller}" for caller in sorted(evidence.callers - known))


def _number(log: Sequence[Entry]) -> str:
    opened = log[0].event if log else None
    return opened.citizen.identifier.removeprefix("+86") if isinstance(opened, SessionOpened) else ""


def _of_one(session: SessionId, log: Sequence[Entry], rules: Rules) -> Iterator[str]:
    versions = [entry.version for entry in log]
    if versions != list(range(1, len(log) + 1)):
        yield f"{session}: its log has gaps or doubles: {versions}"
        return
    yield from _offers(session, log)
    try:
        end = replay(session, (entry.event for entry in log), rules)
    except ValueError as error:
        yield f"{session}: its log cannot be replayed: {error}"
        return
    yield from _rest(end)


def _offers(session: SessionId, log: Iterable[Entry]) -> Iterator[str]:
    """Laws 2 and 3: tokens rise, each is accepted once at most, by whom it was made for, and only while it stands."""
    offers: dict[int, AssigneeId] = {}
    accepted: set[int] = set()
    for event in (entry.event for entry in log):
        if isinstance(event, OfferMade):
            if offers and event.token <= max(offers):
                yield f"{session}: token {event.token} does not rise"
            offers[event.token] = event.assignee
        elif isinstance(event, OfferAccepted):
            if event.token in accepted:
                yield f"{session}: answered twice with token {event.token}"
            if offers.get(event.token) != event.assignee:
                yield f"{session}: answered by {event.assignee}, to whom token {event.token} was not offered"
            elif event.token != max(offers):
                yield f"{session}: answered with token {event.token}, which no longer stood"
            accepted.add(event.token)


def _rest(session: Session) -> Iterator[str]:
    """Law 1 and law 7: with everybody gone, a session has ended for a reason, or is owed, or is set aside."""
    if session.phase is Phase.CLOSED:
        if session.close_reason is None:
            yield f"{session.id}: ended without a reason"
    elif session.phase not in {Phase.CALLBACK_PENDING, Phase.PARKED}:
        legs = [(leg.medium.value, leg.state.value) for leg in session.legs if leg.party is Party.CITIZEN]
        yield f"{session.id}: stuck in {session.phase} with legs {legs}"


def _leaked(evidence: Evidence) -> Iterator[str]:
    """Law 4: nobody is charged for a session that has ended, and nobody twice for one."""
    for agent, charged in evidence.charges.items():
        for session in sorted(charged):
            log = evidence.logs.get(session)
            phase = replay(session, (entry.event for entry in log), evidence.rules).phase if log else None
            if phase is None or phase is Phase.CLOSED:
                yield f"{agent} leaked: charged for {session}, which is {phase or 'unknown'}"


def stories(evidence: Evidence, found: Iterable[str]) -> str:
    """The findings, each with the log of the session that it names."""
    lines: list[str] = []
    for one in found:
        lines.append(one)
        log = evidence.logs.get(SessionId(one.partition(":")[0]), ())
        lines += [f"  {entry.version:3} {entry.event.at:.3f} {_short(entry.event)}" for entry in log]
    return "\n".join(lines)


def _short(event: Event) -> str:
    shown = ("token", "assignee", "reason", "leg", "name", "by", "message")
    return " ".join(
        [type(event).__name__, *(f"{name}={getattr(event, name)}" for name in shown if hasattr(event, name))]
    )
