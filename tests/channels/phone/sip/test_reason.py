"""Who ended a call: somebody, or nobody."""

import pytest

from channels.phone.sip.reason import broke_off
from tests.channels.phone.sip.messages import request
from tests.channels.phone.sip.test_transactions import parsed


@pytest.mark.parametrize(
    ("lines", "broke"),
    [
        ((), False),
        (('Reason: Q.850;cause=16;text="Normal call clearing"',), False),
        (("Reason: Q.850;cause=31",), False),
        (('Reason: Q.850;cause=41;text="Temporary failure"',), True),
        (("Reason: q.850 ; cause=27",), True),
        (('Reason: SIP;cause=503;text="Media bearer loss"',), True),
        (('Reason: SIP;cause=200;text="Call completed elsewhere"',), False),
        (("Reason: Q.850;cause=16, SIP;cause=408",), True),
        (("Reason: Q.850;cause=16", "Reason: SIP;cause=408"), True),
        (('Reason: Q.850;cause=41"',), False),
        (("Reason: Q.850;cause=",), False),
        (("Reason: Q.850;cause=" + "9" * 400,), False),
        (("Reason: ;;;",), False),
        (("Reason: unheard.of;cause=41",), False),
    ],
)
def test_a_network_says_that_a_call_broke_off(lines: tuple[str, ...], broke: bool) -> None:
    assert broke_off(parsed(request("BYE", extra=lines))) is broke
