"""What an answer quotes, in a line that every channel can show."""

from session import events as ev
from session.ids import LegId, MessageId
from session.quoting import LONGEST, excerpt, spoken
from tests.session import script


def test_a_text_is_quoted_in_one_line_of_bounded_length() -> None:
    said = ev.TextReceived(leg=LegId("chat"), message=MessageId("m1"), text="路灯\n 坏了\t三天")
    assert excerpt(said) == ("m1", "路灯 坏了 三天")
    quoted = excerpt(script.said("长" * 500))
    assert quoted is not None
    assert quoted[1] == "长" * (LONGEST - 1) + "…"


def test_a_file_and_a_place_are_quoted_by_their_names_and_nothing_else_is_a_message() -> None:
    place = ev.LocationReceived(leg=LegId("chat"), message=MessageId("m2"), latitude=1.0, longitude=2.0, accuracy_m=3.0)
    assert excerpt(place) == ("m2", "[位置]")
    assert excerpt(ev.NoteAdded(by=script.WANG, text="内部")) is None


def test_the_quote_stands_above_the_answer() -> None:
    answer = script.said("马上修")
    assert spoken(answer) == "马上修"
    quoting = ev.TextSent(
        by=answer.by, kind=answer.kind, message=answer.message, text="马上修", quotes=MessageId("m1"), quoted="路灯坏了"
    )
    assert spoken(quoting) == "「路灯坏了」\n马上修"
