"""The one bot that is built in (引导机器人): greets out of hours, keeps company, hands over at a word."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from bots.contract import Act, Finish, HandOver, Part, Say, View
from bots.phrases import Phrases, phrases_for
from bots.wish import says_goodbye, wants_human
from session import events as ev
from session.ids import AssigneeId
from session.ports import Place

NAME = AssigneeId("guide")

COMPANY_AFTER_S = 5.0
"""Who is answered within this time needs no company."""
PLACE_AFTER_S = 60.0
"""The place is said again after this time."""
MOVED_AFTER_S = 15.0
"""The place is said again after this time where it has changed by much."""
NOTED_AFTER_S = 60.0
"""That words are kept is said again after this time, however much the citizen writes."""


class Hours(Protocol):
    """When people answer."""

    def open_at(self, at: float) -> bool:
        """Whether they do at that time."""
        ...

    def said(self, at: float | None = None, *, english: bool = False) -> str:
        """As a citizen reads them, with what holds on that day alone."""
        ...


class Guide:
    """See `decide`; the rest of it is settings. `hours` gives those in force at the moment of asking."""

    name = NAME

    def __init__(self, hours: Callable[[], Hours], *, queues: tuple[str, ...] = ("bots",)) -> None:
        self.queues = queues
        self._hours = hours

    async def meet(self, view: View) -> Sequence[Act]:
        """What the guide does now."""
        return decide(view, self._hours())


def decide(view: View, hours: Hours) -> Sequence[Act]:
    """What the guide does now. Pure."""
    phrases = phrases_for(view.memory.language)
    if view.part is Part.DRIVER:
        return _drive(view, hours, phrases)
    return _accompany(view, phrases)


def _drive(view: View, hours: Hours, phrases: Phrases) -> Sequence[Act]:
    match view.entry.event if view.entry else None:
        case ev.OfferAccepted():
            return (Say(_greeting(view, hours, phrases)),)
        case ev.TextReceived(text=text) if wants_human(text):
            return (Say(phrases.handing_over), HandOver())
        case ev.TextReceived(text=text) if says_goodbye(text):
            return (Say(phrases.farewell), Finish())
        case ev.TextReceived() | ev.FileReceived() if _quiet_for(view, NOTED_AFTER_S) or _noted_nothing_yet(view):
            return (Say(phrases.noted),)
    return ()


def _greeting(view: View, hours: Hours, phrases: Phrases) -> str:
    if hours.open_at(view.now):
        return phrases.open
    english = phrases is not phrases_for("zh")
    return phrases.closed.format(hours=hours.said(view.now, english=english))


def _accompany(view: View, phrases: Phrases) -> Sequence[Act]:
    match view.entry.event if view.entry else None:
        case ev.TextReceived(text=text) if view.session.bot_queue and wants_human(text):
            return (HandOver(),)  # it still stood in the bots' line
    waiting_since = view.session.waiting_since
    if view.entry is not None or view.speaking or view.session.bot_queue or waiting_since is None:
        return ()
    if view.memory.spoke_at is None:
        return _first_words(view, phrases) if view.now - waiting_since >= COMPANY_AFTER_S else ()
    if view.place is not None and _place_is_due(view, view.place):
        return (Say(phrases.placed(view.place), view.place),)
    return ()


def _first_words(view: View, phrases: Phrases) -> Sequence[Act]:
    if view.place is None:
        return (Say(phrases.company),)
    return (Say(phrases.company), Say(phrases.placed(view.place), view.place))


def _place_is_due(view: View, place: Place) -> bool:
    told = view.memory.told
    if told is None:
        return True
    gone_on = told.position - place.position
    by_much = abs(gone_on) >= max(3, told.position // 3) or (place.position == 1 and gone_on > 0)
    return view.now - told.at >= (MOVED_AFTER_S if by_much else PLACE_AFTER_S)


def _quiet_for(view: View, pause_s: float) -> bool:
    return not view.speaking and (view.memory.spoke_at is None or view.now - view.memory.spoke_at >= pause_s)


def _noted_nothing_yet(view: View) -> bool:
    return not view.speaking and view.memory.words == 1
