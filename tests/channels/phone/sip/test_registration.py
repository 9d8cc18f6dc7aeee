"""A registration of ours, as a script of answers and times."""

import pytest

from channels.phone.sip.message import Response, respond
from channels.phone.sip.registration import Ask, Registration, Standing
from tests.channels.phone.sip.test_transactions import invite

CHALLENGE = ("WWW-Authenticate", 'Digest realm="ims", nonce="n1", algorithm=MD5, qop="auth"')


def answer(status: int, *headers: tuple[str, str]) -> Response:
    return respond(invite(), status, headers=headers)


def registered(expires: str = "3600") -> Registration:
    one = Registration(3600)
    assert one.start() == Ask(3600)
    proof = one.heard(answer(401, CHALLENGE), 0.0, 0.5)
    assert proof is not None
    assert proof.demand is not None
    assert proof.count == 1
    assert one.heard(answer(200, ("Contact", f"<sip:us@192.0.2.1>;expires={expires}")), 0.0, 0.5) is None
    assert one.standing is Standing.REGISTERED
    return one


@pytest.mark.parametrize(("granted", "again_at"), [("3600", 3510), ("600", 510), ("60", 30), ("5", 10), ("0", 10)])
def test_kept_up_before_it_ends(granted: str, again_at: float) -> None:
    one = registered(granted)
    assert one.timers.next_deadline == again_at
    assert one.due(again_at - 0.1) is None
    again = one.due(again_at)
    assert again is not None
    assert again.demand is not None, "the challenge is answered before it is asked"
    assert again.count == 2


def test_granted_by_the_header_or_not_said() -> None:
    for headers, again_at in ((("Expires", "600"),), 510), ((), 3510):
        one = Registration(3600)
        one.start()
        one.heard(answer(200, *headers), 0.0, 0.5)
        assert one.timers.next_deadline == again_at


def test_wrong_password_is_tried_again_later_and_later() -> None:
    one = Registration(3600)
    now, pauses = 0.0, []
    for _ in range(8):
        one.start()
        assert one.heard(answer(401, CHALLENGE), now, 1.0) is not None
        assert one.heard(answer(401, CHALLENGE), now, 1.0) is None
        assert (one.standing, one.status) == (Standing.REFUSED, 401)
        deadline = one.timers.next_deadline
        assert deadline is not None
        pauses.append(deadline - now)
        now = deadline
        one.timers.clear()
    assert pauses == [10, 20, 40, 80, 160, 300, 300, 300]


def test_stale_is_no_wrong_password() -> None:
    one = registered()
    again = one.due(3510)
    assert again is not None
    stale = (CHALLENGE[0], CHALLENGE[1].replace("n1", "n2") + ", stale=true")
    proof = one.heard(answer(401, stale), 3510, 0.5)
    assert proof is not None
    assert proof.demand is not None
    assert (proof.demand.challenge.nonce, proof.count) == ("n2", 1)
    one.heard(answer(200), 3511, 0.5)
    assert one.standing is Standing.REGISTERED


def test_too_brief_is_asked_for_longer() -> None:
    one = Registration(60)
    one.start()
    assert one.heard(answer(423, ("Min-Expires", "1800")), 0.0, 0.5) == Ask(1800)
    assert one.heard(answer(423, ("Min-Expires", "1800")), 0.0, 0.5) is None
    assert one.standing is Standing.REFUSED


@pytest.mark.parametrize("status", [403, 404, 503, 600])
def test_refused(status: int) -> None:
    one = registered()
    one.due(3510)
    assert one.heard(answer(status), 3510, 0.0) is None
    assert (one.standing, one.timers.next_deadline) == (Standing.REFUSED, 3515)


def test_unheard_and_back() -> None:
    one = registered()
    one.due(3510)
    one.unheard(3542, 0.0)
    assert (one.standing, one.status, one.timers.next_deadline) == (Standing.UNHEARD, 0, 3547)
    assert one.due(3547) is not None
    one.heard(answer(200), 3547, 0.5)
    assert one.standing is Standing.REGISTERED


def test_leaving() -> None:
    one = registered()
    assert one.leave().expires_s == 0
    assert (one.standing, one.timers.next_deadline) == (Standing.ABSENT, None)
