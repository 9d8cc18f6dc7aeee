"""The laws of the queue as questions to what can be seen of a store. (Law 12, degraded honestly, is test_server.py's.)

Law 6 is asked only when all is settled (`nobody_waits_in_vain`); the others after every act.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator

from queueing import policy
from queueing.contract import Presence
from queueing.policy import Class
from queueing.settings import QueueSettings
from session import events as ev
from session.ids import SessionId
from session.machine import advance, begin, replay
from session.state import AssigneeKind, Demand, Medium, Phase, Session
from tests.queueing.house import Sight

CHARGED = {
    Phase.OFFERED: "offered",
    Phase.ACTIVE: "engaged",
    Phase.BOT: "engaged",
    Phase.WRAPPING: "wrapping",
}
ENDS = (ev.OfferAccepted, ev.OfferDeclined, ev.OfferExpired, ev.OfferRescinded, ev.OfferCancelled)


def hold(sight: Sight, before: Sight | None, settings: QueueSettings) -> None:
    """Raise `AssertionError` with the number of the law that is broken."""
    conservation(sight)
    offers(sight, settings)
    capacity(sight)
    order(sight)
    once(sight)
    replayed(sight)
    if before is not None:
        citizen_gone(sight, before)


def conservation(sight: Sight) -> None:
    charges = defaultdict(list)
    for view in sight.roster:
        for charge in view.charges:
            charges[charge.session].append((view.profile.assignee, charge.state))
    enlisted = {view.profile.assignee for view in sight.roster}
    for name, session in sight.snapshots.items():
        assert session is not None, f"law 1: {name} is lost"
        assert sight.logs[name], f"law 1: {name} has no log"
        if session.version != len(sight.logs[name]):
            continue
        waits = session.phase in (Phase.QUEUED, Phase.OFFERED)
        assert waits == (sight.places[name] is not None), f"law 1: {name} is {session.phase}, and in line: {not waits}"
        holder = session.offer.assignee if session.offer else session.assignee
        wanted = [(holder, CHARGED[session.phase])] if session.phase in CHARGED and holder in enlisted else []
        assert charges[session.id] == wanted, f"law 1: {name} is {session.phase}, and charged {charges[session.id]}"


def offers(sight: Sight, settings: QueueSettings) -> None:
    for name, log in sight.logs.items():
        pending: ev.OfferMade | None = None
        last_token, accepted, declined = 0, Counter[int](), list[str]()
        for before, event in _stood(name, log):
            match event:
                case ev.OfferMade():
                    assert pending is None, f"law 2: {name} is offered twice"
                    assert event.token > last_token, f"law 2: {name} uses a token again"
                    assert round((event.lease_until - event.at) * 1000) == round(settings.lease_s * 1000), "law 11"
                    last_token, pending = event.token, event
                    _decline_memory(name, event, declined)
                case ev.OfferAccepted():
                    assert pending is not None, f"law 3: {name} is answered without being asked"
                    assert (pending.token, pending.assignee) == (event.token, event.assignee), "law 3: another's answer"
                    assert event.at < pending.lease_until, "law 3: after its time"
                    accepted[event.token] += 1
                    declined.clear()
                case ev.OfferDeclined():
                    declined.append(event.assignee)
                case ev.SessionTransferred() if _hands_on(before, event):
                    declined.append(event.by)
            if isinstance(event, ENDS):
                assert pending is not None, f"law 2: {name} ends an offer that is none"
                assert pending.token == event.token, f"law 2: {name} ends another offer"
                pending = None
        assert max(accepted.values(), default=0) <= 1, f"law 3: {name} is answered twice"


def _stood(name: str, log: list[tuple[int, ev.Event]]) -> Iterator[tuple[Session | None, ev.Event]]:
    """Each event, and the session as it stood before."""
    session: Session | None = None
    for _, event in log:
        yield session, event
        if session is None:
            assert isinstance(event, ev.SessionOpened)
            session = begin(SessionId(name), event)
        session, _ = advance(session, event)


def _hands_on(session: Session | None, event: ev.SessionTransferred) -> bool:
    has_it = session is not None and session.phase is Phase.ACTIVE and session.assignee == event.by
    return has_it and event.to != event.by


def _decline_memory(name: str, made: ev.OfferMade, declined: list[str]) -> None:
    if made.assignee in declined:
        best = made.why["best"]
        assert isinstance(best, list)
        free = [who for who, _ in best if who not in declined]
        assert not free, f"law 13: {name} goes to {made.assignee} again, and {free} is free"


def overdue(sight: Sight, now: float) -> None:
    """After a sweep: nothing stands beyond its deadline."""
    for name, log in sight.logs.items():
        made = next((event for _, event in reversed(log) if isinstance(event, (ev.OfferMade, *ENDS))), None)
        if isinstance(made, ev.OfferMade):
            assert made.lease_until > now, f"law 7: the offer of {name} stands beyond its lease"


def capacity(sight: Sight) -> None:
    sessions = Counter[SessionId]()
    for view in sight.roster:
        load = Counter(charge.medium for charge in view.charges)
        for medium, many in load.items():
            limit = view.profile.capacity.get(medium, 0)
            assert many <= limit, f"law 4: {view.profile.assignee} has {many} {medium} of {limit}"
        sessions.update(charge.session for charge in view.charges)
    assert max(sessions.values(), default=0) <= 1, "law 4: one session, two charges"


def demanded(session: Session) -> Demand:
    """What a session asks for in the line where it stands: the bots' or the humans'."""
    return Demand(session.bot_queue) if session.bot_queue else session.demand


def line_key(session: Session) -> int:
    assert session.waiting_since is not None
    since = policy.milliseconds(session.waiting_since) - policy.milliseconds(session.accrued_wait_s)
    return policy.line_key(since, demanded(session).priority)


def order(sight: Sight) -> None:
    lines = defaultdict(list)
    for name, session in sight.snapshots.items():
        place = sight.places[name]
        if session and place and session.waiting_since is not None and session.version == len(sight.logs[name]):
            lines[demanded(session).queue].append((place.position, line_key(session), name))
    for queue, line in lines.items():
        keys = [(key, name) for _, key, name in sorted(line)]
        assert keys == sorted(keys), f"law 5: the line of {queue} is not in order"


def once(sight: Sight) -> None:
    words = Counter(
        (session.citizen, event.message)
        for name, session in sight.snapshots.items()
        if session
        for _, event in sight.logs[name]
        if isinstance(event, ev.TextReceived)
    )
    assert max(words.values(), default=0) <= 1, "law 8: one word, two events"


def replayed(sight: Sight) -> None:
    for name, log in sight.logs.items():
        assert [version for version, _ in log] == list(range(1, len(log) + 1)), f"law 9: {name} has a gap"
        session = sight.snapshots[name]
        if session and session.version:
            again = replay(SessionId(name), [event for _, event in log[: session.version]])
            assert again == session, f"law 9: {name} replayed is another"


def citizen_gone(sight: Sight, before: Sight) -> None:
    """One act has passed since `before`: did it make an offer or join anybody while the citizen's act was unread?"""
    for name, log in sight.logs.items():
        seen, held = before.logs.get(name, []), before.snapshots.get(name)
        grown = [event for _, event in log[len(seen) :]]
        if not seen or held is None or not any(isinstance(event, ev.OfferMade | ev.OfferAccepted) for event in grown):
            continue
        vital = max((version for version, event in seen if event.vital or isinstance(event, ev.TimerFired)), default=0)
        assert vital <= held.version, f"law 10: {name} goes on although the citizen may be gone"


def nobody_waits_in_vain(sight: Sight, now_ms: int, settings: QueueSettings) -> None:
    """Everything absorbed, swept and matched: no waiting session is left beside an assignee who could take it."""
    for name, session in sight.snapshots.items():
        assert session is not None
        if session.phase is not Phase.QUEUED or session.version != len(sight.logs[name]):
            continue
        if session.dropped_call is not None:
            continue
        demand = Class.of(demanded(session), session.medium)
        for view in sight.roster:
            charged = Counter(charge.medium for charge in view.charges)
            room = charged[demand.medium] < view.profile.capacity.get(demand.medium, 0)
            if view.profile.kind is AssigneeKind.AGENT:
                room = room and not charged[Medium.VOICE] and demand.medium in view.reachable
            silent = any(
                isinstance(event, ev.OfferExpired | ev.OfferDeclined) and event.assignee == view.profile.assignee
                for log in sight.logs.values()
                for _, event in log
            )
            able = policy.bonus(view.profile, demand, settings) is not None
            free = room and able and view.presence is Presence.READY and not silent
            assert not free, f"law 6: {name} waits beside {view.profile.assignee} at {now_ms}"
