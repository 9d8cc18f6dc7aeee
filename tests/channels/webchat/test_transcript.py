"""A transcript alone: whose message stands in which session."""

from channels.webchat.transcript import Transcript
from channels.webchat.visitor import address_of
from session import events as ev
from session.ids import LegId, MessageId, SessionId
from session.ports import Entry
from session.state import Demand

ADDRESS = address_of("somebody")


def heard(session: str, earlier: Transcript | None, *words: str) -> Transcript:
    transcript = Transcript(SessionId(session), ADDRESS, str, earlier)
    opened = ev.SessionOpened(citizen=ADDRESS, number="12345", demand=Demand("general"))
    said = [ev.TextReceived(leg=LegId("leg"), message=MessageId(word), text=word) for word in words]
    for version, event in enumerate([opened, *said], 1):
        transcript.hear(Entry(transcript.session_id, version, event))
    return transcript


def test_a_message_stands_in_the_session_that_brought_it_and_above_the_next_one() -> None:
    first = heard("1", None, "a", "b")
    second = heard("2", first, "c")
    assert [list(one.messages) for one in (first, second)] == [["a", "b"], ["a", "b", "c"]]
    assert [message.rev for message in second.messages.values()] == [2, 3, 5]
    assert [second.has(word) for word in "abcd"] == [False, False, True, False]
    assert first.has("a")
