"""linphone, Debian's, as a caller and as an agent's telephone: sound both ways, hold, and its own attended transfer."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Eventually
from tests.peers.browser import Window
from tests.peers.linphone import Linphone
from tests.peers.sound import RATE, likeness, read_wave, speech
from tests.peers.yihao import Yihao
from tests.scenarios.conftest import SHORT_WAITS, running
from tests.scenarios.kinds import MakesSoftphone, OpensDesk, OpensWindow
from tests.scenarios.test_browser import log_in
from tests.scenarios.test_conference import Ears, changed
from tests.scenarios.test_page_call import EAVESDROP, hears
from tests.scenarios.test_page_telephone import beeps
from tests.scenarios.test_phone import finished_recording

VOICE_S = 0.6
AGENT, COLLEAGUE, CITIZEN = (speech(VOICE_S, seed=seed) for seed in (51, 54, 53))
"""As `Ears` knows them."""


@pytest.fixture(scope="module")
def gateway() -> Iterator[Yihao]:
    yield from running({**SHORT_WAITS, "media.workers": "1", "session.wrap_s": "30"})


@pytest.mark.timeout(120)
async def test_a_linphone_calls_another_which_holds_and_then_transfers_by_itself(
    gateway: Yihao,
    softphone: MakesSoftphone,
    desk: OpensDesk,
    window: OpensWindow,
    eventually: Eventually,
    tmp_path: Path,
) -> None:
    """REFER with Replaces: one session, one recording, and the colleague has it, with the reason in the timeline."""
    page, other = await desk(gateway, "8001"), await desk(gateway, "8002")
    password = gateway.agent("8001").sip_password
    agent = Linphone(tmp_path / "agent", gateway.sip_text, "8001", password, answers=True, says=AGENT)
    citizen = Linphone(tmp_path / "citizen", gateway.sip_text, "13800138000", "-", registers=False, says=CITIZEN)
    async with agent, citizen:
        await agent.registered()
        await citizen.call("12345")
        call = await agent.rings()
        session = (await page.saw("contact.state", phase="active", assignee="8001"))["session"]
        colleague = await softphone(gateway, "8002", answers=True, says=COLLEAGUE)
        ears = Ears(eventually, citizen=citizen, agent=agent, colleague=colleague)
        await ears.hear(citizen={"agent"}, agent={"citizen"})

        agent.hold()
        await changed(page, "held")
        await ears.hear(citizen=set())
        beside = await agent.call("8002")
        await colleague.saw("CALL_ESTABLISHED")
        await ears.hear(agent={"colleague"}, colleague={"agent"}, citizen=set())
        assert not [one for one in other.frames if one["t"] == "contact.state"], "no session comes of it"

        agent.join(call, beside)
        await other.saw("contact.state", session=session, phase="active", assignee="8002")
        await changed(other, "passed_by_phone", "8002")
        await ears.hear(citizen={"colleague"}, colleague={"citizen"})
        await page.until(lambda one: one["t"] == "contact.gone" and one["session"] == session, what="the contact gone")
        citizen.hang_up()
        entry = await finished_recording(other)
        marks = [one["entry"]["mark"] for one in other.frames if one.get("entry", {}).get("mark")]
        assert "agent_left" in marks
        file = tmp_path / "recording.wav"
        file.write_bytes(await other.get(f"/api/recordings/{entry['recording']}"))
        left, right = read_wave(file)
        assert likeness(CITIZEN, left[-2 * RATE :]).correlation >= 0.3
        assert likeness(COLLEAGUE, right[-2 * RATE :]).correlation >= 0.3, "it runs on"
        assert likeness(AGENT, right[: len(right) // 2]).correlation >= 0.3, "one of the whole call"
        await other.command("wrap.save", session=session, kind="咨询")
        await to_a_page(gateway, agent, citizen, await window("about:blank"), eventually)


async def to_a_page(gateway: Yihao, agent: Linphone, citizen: Linphone, page: Window, eventually: Eventually) -> None:
    """The next call is brought to a colleague with only a browser: it rings as a colleague's, and a click takes it."""
    await page.before_all(EAVESDROP)
    await page.open(f"{gateway.http}/desk/")
    await log_in(page, gateway.agent("8003"))
    await page.click(".item.phone")
    await page.sees(".item.phone.idle", 20)
    before = len(agent.lines)
    await citizen.call("12345")
    call = await agent.rings(after=before)
    await agent.saw(f"Media streams established .* for call {call} ", after=before)
    agent.hold()
    beside = await agent.call("8003")
    assert "8001" in await page.sees(".inside", 20)
    await page.click(".inside .take")
    await page.sees(f".inside{page.says('telephone.inside.talking')}", 20)
    await hears(page, AGENT)
    agent.join(call, beside)
    await page.sees_no(".inside", 20)
    await hears(page, CITIZEN)
    heard = len(citizen.heard())
    await eventually(lambda: beeps(citizen.heard()[heard:]), deadline_s=20)
    citizen.hang_up()
    await page.sees(".item.phone.idle", 20)
