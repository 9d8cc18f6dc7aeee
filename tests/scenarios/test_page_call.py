"""A citizen calls from the page, or it rings: Chromium with a microphone that speaks, an agent's softphone, the chat
beside it.
"""

import asyncio
import base64
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import Eventually
from tests.peers.browser import MOBILE, Chromium, Window
from tests.peers.looks import Album
from tests.peers.sound import RATE, Sound, likeness, loudness, read_wave, speech, write_wave
from tests.peers.yihao import Yihao
from tests.scenarios.conftest import prompt
from tests.scenarios.kinds import Draws, MakesSoftphone, OpensDesk, OpensWindow
from tests.scenarios.test_browser import write
from tests.scenarios.test_chat_to_call import refused, told
from tests.scenarios.told import entries, history, legs

CITIZEN, AGENT = speech(1, seed=61), speech(1, seed=62)
ALIKE = 0.9
DEADLINE_S = 20.0
PIECE = RATE // 2

RINGS = ".call[data-stage=rings]"
NO_MICROPHONE = (
    "() => { navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('', 'NotAllowedError')); }"
)
EAVESDROP = """(() => {
  const heard = (window.heard = []);
  const media = navigator.mediaDevices;
  const lend = media.getUserMedia.bind(media);
  // What suppresses noise takes our made-up speech for some.
  const raw = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };
  media.getUserMedia = () => lend({ audio: raw });
  const Real = RTCPeerConnection;
  window.RTCPeerConnection = class extends Real {
    constructor(...how) {
      super(...how);
      this.addEventListener("track", ({ track }) => {
        const context = new AudioContext({ sampleRate: 8000 });
        const ear = context.createScriptProcessor(1024, 1, 1);
        ear.onaudioprocess = ({ inputBuffer }) => heard.push(new Float32Array(inputBuffer.getChannelData(0)));
        context.createMediaStreamSource(new MediaStream([track])).connect(ear);
        ear.connect(context.destination);
        void context.resume();
      });
    }
  };
})()"""
HEARD = """() => {
  const whole = new Float32Array(window.heard.length * 1024);
  window.heard.forEach((part, at) => whole.set(part, at * 1024));
  const bytes = new Uint8Array(whole.buffer);
  let text = "";
  for (let at = 0; at < bytes.length; at += 8192) text += String.fromCharCode(...bytes.subarray(at, at + 8192));
  return btoa(text);
}"""


@pytest.fixture(scope="module")
def chromium() -> Iterator[Chromium]:
    with tempfile.TemporaryDirectory(prefix="yh-mic-") as folder:
        browser = Chromium(write_wave(Path(folder) / "microphone.wav", CITIZEN)).start()
        yield browser
        browser.stop()


async def heard_in(page: Window) -> Sound:
    """What has come out of the page's loudspeaker since it was opened."""
    return np.frombuffer(base64.b64decode(await page.evaluate(HEARD)), "<f4").astype(float) * 32768


def is_heard(pieces: list[Sound], heard: Sound) -> bool:
    """Any of them: a browser on a machine with more to do than it can stretches sound, and leaves some out."""
    return any(likeness(piece, heard).correlation >= ALIKE for piece in pieces)


async def hears(page: Window, sound: Sound) -> None:
    ends_at = asyncio.get_running_loop().time() + DEADLINE_S
    pieces = [sound[at:][:PIECE] for at in range(0, len(sound) - PIECE + 1, PIECE)]
    while not is_heard(pieces, await heard_in(page)):
        assert asyncio.get_running_loop().time() < ends_at, "it is not heard in the page"


async def test_a_citizen_calls_from_the_page_and_the_chat_stays_open_beside_it(
    gateway: Yihao,
    desk: OpensDesk,
    window: OpensWindow,
    softphone: MakesSoftphone,
    draws: Draws,
    album: Path,
    tmp_path: Path,
    eventually: Eventually,
) -> None:
    agent = await desk(gateway, "8001")
    page = await window(gateway.http, size=MOBILE)
    await page.before_all(EAVESDROP)
    await page.sees(".welcome")
    await page.click(".call-door")
    await page.sees(".call[data-stage=up]", DEADLINE_S)
    await hears(page, prompt("welcome"))

    phone = await softphone(gateway, "8001", says=AGENT)
    await phone.saw("CALL_INCOMING", DEADLINE_S)
    await phone.answer()
    await page.sees(".call[data-stage=talking]", DEADLINE_S)
    await hears(page, AGENT)
    said = [CITIZEN[:PIECE], CITIZEN[PIECE:]]
    await eventually(lambda: is_heard(said, phone.heard()), deadline_s=DEADLINE_S)
    await write(page, "我在这里打电话，也在这里写字")
    session = str((await agent.saw("contact.state", DEADLINE_S))["session"])
    await eventually(lambda: "我在这里打电话，也在这里写字" in agent.texts(session), deadline_s=DEADLINE_S)
    await page.picture(album / "page-call.png")

    await page.click(".call button[aria-pressed]")
    await page.sees(f".call p{page.says('widget.call.muted')}")
    await eventually(lambda: loudness(phone.heard()[-RATE // 2 :]) < 50, deadline_s=DEADLINE_S)
    await page.click(".call button[aria-pressed]")
    await eventually(lambda: loudness(phone.heard()[-RATE // 2 :]) > 500, deadline_s=DEADLINE_S)

    await page.click(".call summary")
    await page.click(".call-keys button:has-text('5')")
    await agent.until(
        lambda frame: frame["t"] == "contact.timeline" and frame["entry"].get("what") == "digit", DEADLINE_S, "digit"
    )

    # Loaded anew: the agent hears music meanwhile, and the citizen again after it.
    await page.reload()
    await page.sees(".call[data-stage=talking]", DEADLINE_S)
    await hears(page, AGENT)
    before = len(phone.heard())
    await eventually(lambda: is_heard(said, phone.heard()[before:]), deadline_s=DEADLINE_S)
    await page.click(".call-end")
    await phone.saw("CALL_CLOSED", DEADLINE_S)
    await page.sees(f".call p{page.says('widget.call.over')}")

    placed = await history(agent, session)
    assert legs(placed) == ["browser", "webchat"]
    recorded = await agent.until(
        lambda frame: (
            frame["t"] == "contact.timeline"
            and frame["entry"]["kind"] == "recording"
            and frame["entry"]["what"] == "finished"
        ),
        DEADLINE_S,
    )
    file = tmp_path / "recording.wav"
    file.write_bytes(await agent.get(f"/api/recordings/{recorded['entry']['recording']}"))
    left, right = read_wave(file)
    assert is_heard(said, left)
    assert likeness(AGENT, right).correlation >= ALIKE
    placed = await history(agent, session)
    assert len(entries(placed, "recording")) >= 2
    await draws("page-call.png", "市民在网页上通话，页面重新加载后仍在通话 · a call from the page", placed)
    assert page.complaints == []


async def test_the_agent_lets_the_page_ring_and_whoever_is_there_takes_it_or_not(
    gateway: Yihao,
    desk: OpensDesk,
    window: OpensWindow,
    softphone: MakesSoftphone,
    draws: Draws,
    album: Path,
    eventually: Eventually,
    screens: Album,
) -> None:
    """Story 3, in the browser: two windows of one citizen ring; each end that is none leaves both where they were."""
    agent, phone = await desk(gateway, "8001"), await softphone(gateway, "8001", says=AGENT, answers=True)
    await agent.command("presence.set", presence="ready")
    page = await window(gateway.http, size=MOBILE)
    await page.before_all(EAVESDROP)
    await page.sees(".welcome")
    await write(page, "打字说不清楚")
    offer = await agent.offer()
    await agent.accept(offer)
    session = str(offer["session"])
    await page.sees(".standing-talking")
    other = await page.beside(gateway.http)
    await other.sees(".standing-talking")
    await agent.saw("contact.reach", DEADLINE_S, session=session, page=True)
    assert await refused(agent, "call.start", session=session) in ("number_unproven", "no_way_to_call")

    async def rings(times: int) -> None:
        await agent.command("call.start", session=session, at="page")
        await phone.saw("CALL_ESTABLISHED", DEADLINE_S, times=times)
        for one in (page, other):
            await one.sees(RINGS, DEADLINE_S)

    await rings(1)
    await page.picture(album / "page-rings.png")
    await screens.shows(page, "citizen-rings")
    await page.reload()
    await page.sees(RINGS, DEADLINE_S)
    await page.click(".call-decline")
    await other.sees(f".call p{other.says('widget.call.declined')}")
    await phone.saw("CALL_CLOSED", DEADLINE_S)
    await eventually(lambda: told(agent, session)[-1:] == [("failed", "declined")], deadline_s=DEADLINE_S)

    await other.evaluate(NO_MICROPHONE)
    await rings(2)
    await other.click(".call-accept")
    await other.sees(f".call p{other.says('widget.call.no_permission')}")
    await page.sees_no(RINGS)
    await eventually(lambda: told(agent, session)[-1:] == [("failed", "no_microphone")], deadline_s=DEADLINE_S)
    await phone.saw("CALL_CLOSED", DEADLINE_S, times=2)

    await rings(3)
    await phone.hang_up()
    await page.sees(f".call p{page.says('widget.call.cancelled')}", DEADLINE_S)
    await eventually(lambda: told(agent, session)[-1:] == [("failed", "no_agent")], deadline_s=DEADLINE_S)

    await rings(4)
    await page.click(".call-accept")
    await other.sees(f".call p{other.says('widget.call.elsewhere')}", DEADLINE_S)
    await page.sees(".call[data-stage=talking]", DEADLINE_S)
    await hears(page, AGENT)
    said = [CITIZEN[:PIECE], CITIZEN[PIECE:]]
    await eventually(lambda: is_heard(said, phone.heard()), deadline_s=DEADLINE_S)
    await write(page, "这样清楚多了")
    await eventually(lambda: "这样清楚多了" in agent.texts(session), deadline_s=DEADLINE_S)
    await phone.hang_up()
    await page.sees(f".call p{page.says('widget.call.over')}", DEADLINE_S)
    await write(page, "谢谢")
    await eventually(lambda: "谢谢" in agent.texts(session), deadline_s=DEADLINE_S)
    placed = await history(agent, session)
    assert legs(placed) == ["webchat", "browser"]
    rung = [one["entry"] for one in placed if one["entry"]["kind"] == "dial"]
    by = {one["leg"]: one["channel"] for one in rung if one["what"] == "requested"}
    assert [by[one["leg"]] for one in rung if one["what"] in ("started", "failed")] == ["browser"] * 7
    await draws("page-rings-timeline.png", "坐席呼叫市民的网页，接听后会话仍在 · the page rings", placed)
    assert [*page.complaints, *other.complaints] == []
