"""Figures: offers by their outcome, the wait until a human answered, and what is seen at one instant."""

from gateway.measures import Measures
from gateway.metrics import Metrics
from queueing.contract import Presence
from queueing.memory import MemoryStore
from session.address import Address
from session.events import Event, OfferAccepted, OfferDeclined, OfferMade, SessionOpened
from session.ids import AssigneeId, SessionId
from session.ports import Entry
from session.state import AssigneeKind, Demand, Medium
from tests.conftest import Eventually
from tests.gateway.town import a_chat, hire, post_on

AGENT = AssigneeId("8001")


def _measures(store: MemoryStore) -> tuple[Measures, Metrics]:
    metrics = Metrics()
    return Measures(store, metrics, lambda: {"calls": 2}, lambda: 17), metrics


async def _follow(measures: Measures, session: str, *events: Event) -> None:
    for version, event in enumerate(events, 1):
        await measures.follow(Entry(SessionId(session), version, event))


def _opened(at: float) -> SessionOpened:
    return SessionOpened(at=at, citizen=Address("tel", "+8613800138000"), number="12345", demand=Demand("general"))


def _made(at: float, token: int = 1) -> OfferMade:
    return OfferMade(
        at=at, token=token, assignee=AGENT, kind=AssigneeKind.AGENT, medium=Medium.VOICE, lease_until=at + 20
    )


def _accepted(at: float, kind: AssigneeKind = AssigneeKind.AGENT) -> OfferAccepted:
    return OfferAccepted(at=at, token=1, assignee=AGENT, kind=kind)


async def test_the_wait_until_a_human_answered(memory: MemoryStore) -> None:
    """A bot's answer is none; a second answer of the same session is not the first."""
    measures, metrics = _measures(memory)
    await _follow(
        measures,
        "a",
        _opened(100.0),
        _made(101.0),
        _accepted(102.0, AssigneeKind.BOT),
        OfferDeclined(at=103.0, token=1, assignee=AGENT, reason="busy"),
        _accepted(107.0),
        _accepted(500.0),
    )
    text = metrics.exposition().decode()
    assert "yihao_answer_seconds_count 1.0" in text
    assert "yihao_answer_seconds_sum 7.0" in text
    assert 'yihao_offers_total{outcome="made"} 1.0' in text
    assert 'yihao_offers_total{outcome="declined"} 1.0' in text
    assert "yihao_sessions_total 1.0" in text


async def test_a_wait_is_never_negative_nor_guessed(memory: MemoryStore) -> None:
    """Of a session that began before this node did, the wait is not known."""
    measures, metrics = _measures(memory)
    await _follow(measures, "unknown", _accepted(107.0))
    await _follow(measures, "skewed", _opened(100.0), _accepted(99.0))
    text = metrics.exposition().decode()
    assert "yihao_answer_seconds_count 1.0" in text
    assert "yihao_answer_seconds_sum 0.0" in text


async def test_what_is_unanswered_is_bounded(memory: MemoryStore, monkeypatch: object) -> None:
    measures, metrics = _measures(memory)
    monkeypatch.setattr("gateway.measures.MOST_UNANSWERED", 10)  # type: ignore[attr-defined]
    for number in range(30):
        await _follow(measures, str(number), _opened(100.0))
    assert len(measures._unanswered) == 10
    await _follow(measures, "29", _accepted(103.0))
    assert "yihao_answer_seconds_sum 3.0" in metrics.exposition().decode()


async def test_a_look_at_the_queues(memory: MemoryStore, eventually: Eventually) -> None:
    measures, metrics = _measures(memory)
    post = post_on(memory, "a")
    for number in range(3):
        await post.inbox.open(a_chat(f"visitor-{number}"))

    async def text() -> str:
        await measures.look()
        return metrics.exposition().decode()

    await hire(memory, "8001")
    await memory.queue.present(AGENT, Presence.BREAK, "lunch")

    async def all_wait() -> bool:
        return 'yihao_waiting{queue="general"} 3.0' in await text()

    await eventually(all_wait)
    assert 'yihao_agents{routing="off"} 1.0' in await text()
    assert 'yihao_legs{channel="calls"} 2.0' in await text()
    assert "yihao_packets_lost 17.0" in await text()
    await memory.queue.present(AGENT, Presence.READY)
    assert 'yihao_agents{routing="ready"} 1.0' in await text()
    assert 'routing="off"' not in await text(), "nobody is off any more"
    await post.mailboxes.stop()
