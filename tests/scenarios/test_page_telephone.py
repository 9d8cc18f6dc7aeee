"""An agent who has only a browser: Chromium with a microphone that beeps takes the call of a SIP telephone."""

import numpy as np

from tests.conftest import Eventually
from tests.peers.caller import Telephones
from tests.peers.sound import RATE, loudness, speech
from tests.peers.yihao import Yihao
from tests.scenarios.kinds import OpensWindow
from tests.scenarios.test_browser import log_in

BEEP_IS_LOUD = 300.0


async def test_a_call_is_taken_in_the_browser(
    gateway: Yihao, telephones: Telephones, window: OpensWindow, eventually: Eventually
) -> None:
    desk = await window(f"{gateway.http}/desk/")
    await log_in(desk, gateway.agent("8001"))
    await desk.click(".item.phone")
    await desk.sees(".item.phone.idle", deadline_s=20)
    await desk.click(".presence")
    await desk.click(".el-dropdown-menu__item:has-text('就绪') >> nth=0")
    call = await telephones.call()
    await call.answered(15.0)
    await desk.click(".offer .accept")
    await desk.sees(".item.phone.talking", deadline_s=20)

    # Both ways: the page's beeps at the telephone, and what the telephone says in the page.
    start = len(call.sound.heard())
    await call.sound.say(speech(1.5, 77))
    await desk.sees(".item.phone[data-hears=true]", deadline_s=20)
    await eventually(lambda: loudest(call.sound.heard()[start:]) > BEEP_IS_LOUD, deadline_s=20)

    assert await call.hang_up() == 200
    await desk.sees(".item.phone.idle", deadline_s=20)


def loudest(sound: np.ndarray) -> float:
    """The loudness of the loudest tenth of a second."""
    step = RATE // 10
    return max((loudness(sound[at : at + step]) for at in range(0, len(sound) - step, step)), default=0.0)
