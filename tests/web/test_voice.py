"""Voice notes: recorded in the citizen's page with Chromium's beeping microphone, heard there and at the desk."""

from collections.abc import Awaitable, Callable

from tests.peers.browser import Window
from tests.peers.looks import Album, breaches, no, sideways_px
from tests.peers.yihao import Yihao
from tests.scenarios.test_browser import log_in, make_ready
from tests.web.test_pages import REFUSES_MICROPHONE, SIZES, SMALLEST, focused

OpensWindow = Callable[..., Awaitable[Window]]

WATCH = """
    const Plain = MediaRecorder;
    window.microphones = [];
    window.MediaRecorder = class extends Plain {
        constructor(stream, form) { super(stream, form); window.microphones.push(stream.getTracks()[0]); }
    };
    window.later_ms = 0;
    const now = performance.now.bind(performance);
    performance.now = () => now() + window.later_ms;
"""
HEARD = """async () => {
    const audio = document.querySelector('.timeline audio');
    const sound = await new AudioContext().decodeAudioData(await (await fetch(audio.src)).arrayBuffer());
    audio.preload = 'metadata';
    await new Promise((done) => audio.readyState ? done() : audio.addEventListener('loadedmetadata', done));
    return [audio.duration, sound.getChannelData(0).reduce((most, one) => Math.max(most, one), 0)];
}"""


async def test_a_note_is_spoken_heard_and_sent(gateway: Yihao, window: OpensWindow, screens: Album) -> None:
    """By the keyboard alone."""
    page = await window(gateway.http, SMALLEST)
    await page.before_all(WATCH)
    await page.sees(".welcome")
    assert not [one for one in page.asked if one.endswith("/voice.js")], "fetched by who wants it"
    await page.evaluate("document.querySelector('.voice-door').focus()")
    await page.press("Enter")
    await page.sees(".voice[data-stage=recording]")
    assert await focused(page) == page.words("widget.voice.stop")
    await page.sees_no(".composer-row")
    for size in SIZES:
        await page.click(f".size-{size}")
        await page.sees(f"html[data-text='{size}']")
        assert no(await breaches(page)), size
        assert await sideways_px(page) <= 0, size
    await screens.shows(page, "citizen-voice-recording")
    await page.click(".size-normal")
    await page.sees(".voice time:text-matches('0:(0[2-9]|[1-5])')")
    await page.evaluate("document.querySelector('.voice .act-main').focus()")
    await page.press("Enter")
    await page.sees(".voice[data-stage=ready]")
    assert await focused(page) == f"▶ {page.words('widget.voice.play')}"
    assert await page.evaluate("microphones.map(track => track.readyState)") == ["ended"], "nobody listens any more"
    assert no(await breaches(page))
    await screens.shows(page, "citizen-voice-ready")
    await page.press("Enter")
    await page.sees(f".voice button{page.says('widget.voice.pause')}")
    await page.sees(".voice time:text-matches('0:(0[1-9]|[1-5].) / 0:')")

    await page.evaluate("document.querySelector('.voice .act-main').focus()")
    await page.press("Enter")
    await page.sees(".bubble-citizen:has(.state-sent) .sound")
    await page.sees_no(".voice")
    assert await page.evaluate("document.activeElement.className") == "round voice-door"
    await page.click(".bubble-citizen .sound button")
    await page.sees(".bubble-citizen .sound time:text-matches('0:(0[1-9]|[1-5].) / 0:')")

    desk = await window(f"{gateway.http}/desk")
    await log_in(desk, gateway.agent("8001"))
    await make_ready(desk)
    await desk.click(".offer .accept")
    await desk.sees(".timeline .message audio[aria-label]")
    length_s, loudest = await desk.evaluate(HEARD)
    assert 1.5 <= length_s < 62, "a page writes no length into it; the desk's player has one all the same"
    assert loudest > 0.05
    assert no(await breaches(desk))
    await screens.shows(desk, "desk-voice")
    await page.changes_language(".language")
    await page.reload()
    await page.sees(f".bubble-citizen .sound button{page.says('widget.voice.play')}")
    assert no(await breaches(page))
    assert page.complaints == []


async def test_a_note_has_its_bounds(gateway: Yihao, window: OpensWindow) -> None:
    """A minute at most, told before it is over; nothing of less than a second; nothing without the microphone."""
    page = await window(gateway.http)
    await page.before_all(WATCH)
    await page.click(".voice-door")
    await page.sees(".voice[data-stage=recording]")
    await page.click(".voice .act-main")
    await page.sees(f".voice p{page.says('widget.voice.too_short')}")
    await page.click(f".voice button{page.says('widget.voice.again')}")
    await page.sees(".voice[data-stage=recording]")
    await page.evaluate("window.later_ms = 50_000")
    await page.sees(f".voice p{page.says('widget.voice.ending')}")
    await page.evaluate("window.later_ms = 60_000")
    await page.sees(f".voice[data-stage=ready] p{page.says('widget.voice.ready')}")

    await page.evaluate("() => { window.fetches = fetch; fetch = () => Promise.reject(new TypeError('')); }")
    await page.click(".voice .act-main")
    await page.sees(f".complaint{page.says('widget.words.file_failed')}")
    await page.sees(".voice[data-stage=ready]")
    assert await page.count(".bubble-citizen") == 0
    await page.evaluate("() => { fetch = window.fetches; }")
    await page.press("Escape")
    await page.sees_no(".voice")

    refusals = {
        REFUSES_MICROPHONE: "no_permission",
        REFUSES_MICROPHONE.replace("NotAllowed", "NotFound"): "no_microphone",
        "() => { MediaRecorder.isTypeSupported = () => false; }": "unsupported",
        "() => { Object.defineProperty(navigator, 'mediaDevices', { value: undefined }); }": "insecure",
    }
    for lacks, told in refusals.items():
        await page.evaluate(lacks)
        await page.click(".voice-door")
        await page.sees(f".voice[data-stage=refused] p{page.says(f'widget.voice.{told}')}")
        assert no(await breaches(page))
        await page.press("Escape")
        await page.sees_no(".voice")
    assert await page.evaluate("microphones.every(track => track.readyState === 'ended')")
