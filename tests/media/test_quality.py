"""What the E-model makes of loss and delay, and the round trip that RTCP tells."""

from __future__ import annotations

import time

import pytest

from media import rtcp
from media.end import Counted
from media.quality import delay_ms, opinion, rating
from media.reports import Reports
from media.rtp import Incoming, Outgoing


@pytest.mark.parametrize(
    ("loss", "delay", "least", "most"),
    [
        (0.0, 20, 4.38, 4.41),  # G.711 on a clean line
        (0.02, 20, 4.1, 4.3),
        (0.05, 20, 3.5, 4.0),
        (0.2, 20, 2.4, 2.8),
        (0.0, 150, 4.25, 4.4),  # G.114: unnoticed by most
        (0.0, 400, 2.9, 3.3),
        (1.0, 20, 1.0, 1.5),
    ],
)
def test_known_points(loss: float, delay: float, least: float, most: float) -> None:
    assert least <= opinion(rating(loss, delay)) <= most


def test_what_was_lost_lately_is_what_was_lost_since() -> None:
    """The worse of both ways; who sends nothing loses nothing, and what came late makes no gain of it."""
    before = Counted(expected=1000, lost=500, sent=1000, far_lost=0)
    assert Counted(1100, 500, 1100, 0).loss_since(before) == 0.0
    assert Counted(1100, 510, 1100, 50).loss_since(before) == 0.5
    assert Counted(1000, 500, 1100, 0).loss_since(before) == 0.0
    assert Counted(1100, 400, 1100, 0).loss_since(before) == 0.0
    assert Counted(1100, 600, 1100, 500).loss_since(Counted()) == pytest.approx(600 / 1100)


def test_more_loss_or_delay_is_never_better() -> None:
    scores = [opinion(rating(loss / 100, 50)) for loss in range(101)]
    assert scores == sorted(scores, reverse=True)
    late = [opinion(rating(0, delay)) for delay in range(0, 1000, 10)]
    assert late == sorted(late, reverse=True)
    assert opinion(150) == 4.5
    assert opinion(-10) == 1.0


def test_delay_is_packet_buffer_and_half_the_way_there_and_back() -> None:
    assert delay_ms(10.0, 60.0) == 70.0
    assert delay_ms(0.0, None) == 20.0


def _reports() -> tuple[Reports, Outgoing]:
    outgoing = Outgoing(1234, 0, 0)
    reports = Reports(Incoming(), outgoing)
    reports.host = "192.0.2.1"
    return reports, outgoing


def test_the_round_trip_is_what_passed_but_for_what_the_far_end_kept() -> None:
    reports, outgoing = _reports()
    sent = rtcp.middle(time.time() - 0.250)
    block = rtcp.ReportBlock(outgoing.ssrc, 0, 3, 100, 80, sent, round(0.150 * 65536))
    reports.hear(rtcp.build(99, "far", None, block), ("192.0.2.1", 5005))
    assert reports.quality is not None
    assert reports.quality.round_trip_ms == pytest.approx(100, abs=30)
    assert (reports.quality.packets_lost, reports.quality.jitter_ms) == (3, 10.0)


def test_a_report_that_answers_none_of_ours_or_an_impossible_one_gives_no_figure() -> None:
    for last, delay in ((0, 0), (rtcp.middle(time.time() + 60), 0)):
        reports, outgoing = _reports()
        block = rtcp.ReportBlock(outgoing.ssrc, 0, 0, 100, 80, last, delay)
        reports.hear(rtcp.build(99, "far", None, block), ("192.0.2.1", 5005))
        assert reports.quality is not None
        assert reports.quality.round_trip_ms is None


def test_the_time_of_a_sender_report_is_read_and_nothing_else_is_taken_for_one() -> None:
    now = 1_790_000_000.5
    sender = rtcp.SenderInfo(now, 0, 1, 160)
    assert rtcp.sent_at(rtcp.build(7, "x", sender, None)) == rtcp.middle(now)
    assert rtcp.sent_at(rtcp.build(7, "x", None, None)) is None
    assert rtcp.sent_at(b"\x80\xc8") is None
