"""The figures once more, from the events themselves: nothing that was counted before is believed."""

from __future__ import annotations

from collections import defaultdict

from insight.tally import Tally, tally_of
from session.events import SessionOpened
from session.ids import SessionId
from session.ports import Entry
from session.rules import Rules
from storage.history import History
from storage.record import SessionRecord


async def recount(history: History, since: float, until: float) -> dict[str, Tally]:
    """The sums of each queue over the sessions that came in that time, each replayed from its log."""
    sums: dict[str, Tally] = defaultdict(Tally)
    record: SessionRecord | None = None
    after: tuple[str, int] = ("", 0)
    while page := await history.events(since, until, after=after):
        for entry in page:
            if record is not None and record.session.id != entry.session:
                sums[record.session.demand.queue] += tally_of(record)
                record = None
            record = _grown(record, entry, history.rules)
        after = (page[-1].session, page[-1].version)
    if record is not None:
        sums[record.session.demand.queue] += tally_of(record)
    return dict(sums)


def _grown(record: SessionRecord | None, entry: Entry, rules: Rules) -> SessionRecord | None:
    if record is not None:
        return record.after(entry.event, rules)
    if isinstance(entry.event, SessionOpened):
        return SessionRecord.begin(SessionId(entry.session), entry.event, rules)
    return None
