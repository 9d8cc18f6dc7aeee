"""RFC 4028: what is agreed on in each case of its table, and when either end acts."""

from typing import Any

import pytest

from channels.phone.errors import MalformedMessage
from channels.phone.sip import glare
from channels.phone.sip.message import respond
from channels.phone.sip.session_timer import SessionExpires, SessionTimer, SessionTiming, least_of
from channels.phone.sip.timing import Timer
from tests.channels.phone.sip.test_transactions import invite

OURS = SessionTiming(interval_s=1800, least_s=90)


def asking(**headers: str) -> Any:
    return invite(**{name.replace("_", "-"): value for name, value in headers.items()})


@pytest.mark.parametrize(
    ("headers", "said", "demands"),
    [
        # Their support, their interval and refresher: what our 2xx says, and whether it requires timers.
        ({}, "1800;refresher=uas", False),
        ({"Supported": "timer"}, "1800;refresher=uac", True),
        ({"Session_Expires": "600"}, "600;refresher=uas", False),
        ({"Supported": "timer", "Session_Expires": "600"}, "600;refresher=uac", True),
        ({"Supported": "timer", "Session_Expires": "600;refresher=uac"}, "600;refresher=uac", True),
        ({"Supported": "timer", "Session_Expires": "600;refresher=uas"}, "600;refresher=uas", False),
        ({"Require": "timer", "Session_Expires": "600"}, "600;refresher=uac", True),
        ({"Supported": "timer", "Session_Expires": "7200"}, "1800;refresher=uac", True),
        ({"Supported": "timer", "Session_Expires": "7200", "Min_SE": "3600"}, "3600;refresher=uac", True),
        ({"Session_Expires": "30"}, "90;refresher=uas", False),
        ({"Supported": "timer", "Session_Expires": "600;refresher=nobody"}, "600;refresher=uac", True),
    ],
)
def test_what_a_2xx_of_ours_says(headers: dict[str, str], said: str, demands: bool) -> None:
    assert OURS.agree(asking(**headers)) == (SessionExpires.of(asking(Session_Expires=said)), demands)


def test_where_we_want_none() -> None:
    none = SessionTiming(interval_s=0)
    assert none.agree(asking()) == (None, False)
    assert none.asking() == ()
    agreed, _ = none.agree(asking(Supported="timer", Session_Expires="600"))
    assert agreed == SessionExpires(600, "uac"), "one that the far end wants is kept all the same"


def test_too_small_is_refused_with_what_we_would_take() -> None:
    with pytest.raises(MalformedMessage) as caught:
        OURS.check(asking(Supported="timer", Session_Expires="60"))
    assert (caught.value.status, caught.value.headers) == (422, (("Min-SE", "90"),))
    OURS.check(asking(Session_Expires="60"))  # who knows no timers cannot mend it
    OURS.check(asking())
    with pytest.raises(MalformedMessage) as caught:
        OURS.check(asking(Supported="timer", Session_Expires="soon"))
    assert caught.value.status == 400


def test_what_we_ask_for() -> None:
    assert OURS.asking() == (("Session-Expires", "1800"), ("Min-SE", "90"))
    assert OURS.asking(600, we_refresh=True) == (("Session-Expires", "600;refresher=uac"), ("Min-SE", "90"))
    assert OURS.asking(3600, least_s=3600) == (("Session-Expires", "3600"), ("Min-SE", "3600"))
    refusal = respond(asking(), 422, headers=[("Min-SE", "3600")])
    assert least_of(refusal) == 3600
    assert least_of(respond(asking(), 422, headers=[("Min-SE", "long")])) == 0


@pytest.mark.parametrize(
    ("said", "interval_s", "we_refresh"),
    [("600;refresher=uac", 600, True), ("600;refresher=uas", 600, False), ("600", 600, True), ("5", 90, True)],
)
def test_what_a_2xx_of_theirs_begins(said: str, interval_s: int, we_refresh: bool) -> None:
    begun = OURS.begun_by(respond(asking(), 200, headers=[("Session-Expires", said)]), 0.0)
    assert begun is not None
    assert (begun.interval_s, begun.we_refresh) == (interval_s, we_refresh)


@pytest.mark.parametrize("headers", [[], [("Session-Expires", "never")]])
def test_a_2xx_that_begins_none(headers: list[tuple[str, str]]) -> None:
    assert OURS.begun_by(respond(asking(), 200, headers=headers), 0.0) is None


def test_who_refreshes_does_at_half_the_time_and_both_end_before_its_end() -> None:
    ours, theirs = (SessionTimer(1800, 0.0, we_refresh=we) for we in (True, False))
    assert ours.timers.next_deadline == 900
    assert ours.advance(899.9) is None
    assert ours.advance(900.0) is Timer.REFRESH
    for one in (ours, theirs):
        assert one.timers.next_deadline == 1800 - 32
        assert one.advance(1768.0) is Timer.EXPIRY
        assert one.timers.next_deadline is None
    assert SessionTimer(90, 0.0, we_refresh=False).timers.next_deadline == 60, "a third of a short one"


def test_a_clock_that_jumped_ends_it() -> None:
    assert SessionTimer(1800, 0.0, we_refresh=True).advance(5000.0) is Timer.EXPIRY


def test_glare_parts_the_two_ends() -> None:
    assert glare.wait_s(owns_call_id=True, chance=0.0) == 2.1
    assert glare.wait_s(owns_call_id=True, chance=0.999999) == 4.0
    assert glare.wait_s(owns_call_id=False, chance=0.0) == 0.0
    assert glare.wait_s(owns_call_id=False, chance=0.999999) == 2.0
