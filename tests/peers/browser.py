"""Debian's Chromium, driven by playwright: one process for all tests of a worker, a window of its own for each person.

It runs in a thread with a loop of its own, since playwright binds its objects to the loop that made them and each test
here has another.
"""

import asyncio
import shutil
import threading
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Self, TypeVar

from playwright.async_api import Browser, Error, Page, Playwright, async_playwright

from tests.peers.words import Language, row, says, words

T = TypeVar("T")

FLAGS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync", "--disable-dev-shm-usage"),
    # A microphone that is none, lent without a question; and calls within this machine.
    *("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream", "--allow-loopback-in-peer-connection"),
    # The page of a person who looks elsewhere must go on as if it were seen.
    *("--disable-backgrounding-occluded-windows", "--disable-renderer-backgrounding"),
)
_TAP = """
    const Plain = RTCPeerConnection;
    window.RTCPeerConnection = class extends Plain {
        constructor(...given) { super(...given); window.newestCall = this; }
    };
"""
_LISTEN = """async () => {
    const track = window.newestCall?.getReceivers()[0]?.track;
    if (!track) return 0;
    const context = new AudioContext();
    const ear = new AnalyserNode(context, { fftSize: 8192, smoothingTimeConstant: 0 });
    context.createMediaStreamSource(new MediaStream([track])).connect(ear);
    await new Promise((done) => setTimeout(done, 400));
    const levels = new Float32Array(ear.frequencyBinCount);
    ear.getFloatFrequencyData(levels);
    await context.close();
    const best = levels.indexOf(Math.max(...levels));
    return levels[best] > -70 ? Math.round((best * context.sampleRate) / ear.fftSize) : 0;
}"""
DESKTOP = (1440, 900)
MOBILE = (390, 844)
IN_WECHAT = (
    "Mozilla/5.0 (Linux; Android 14; 2211133C Build/UKQ1.230804.001; wv) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Version/4.0 Chrome/126.0.0.0 Mobile Safari/537.36 XWEB/1260117 MMWEBSDK/20240404 MicroMessenger/8.0.49.2600"
)
"""How WeChat's own browser names itself (Android)."""
ACTION_S = 15.0
_LOCALES: dict[Language, str] = {"zh": "zh-CN", "en": "en-GB"}
_CHOSEN = """try {
    for (const name of ["yihao.language", "yihao.desk.language"]) localStorage[name] ??= "%s";
} catch { /* a page without an origin keeps nothing */ }"""
"""What a person leaves who has chosen their language on an earlier day."""


class ChromiumMissingError(Exception):
    """No Chromium on this machine."""

    def __init__(self) -> None:
        super().__init__("Chromium is not on this machine: install Debian's package chromium")


class Frame:
    """A page within a page, as another site hosts it."""

    def __init__(self, chromium: "Chromium", page: Page, which: str) -> None:
        self._chromium, self._frame = chromium, page.frame_locator(which)

    async def write(self, into: str, text: str) -> None:
        await self._chromium.do(self._frame.locator(into).fill(text))

    async def click(self, what: str) -> None:
        await self._chromium.do(self._frame.locator(what).click())

    async def sees(self, what: str, deadline_s: float = ACTION_S) -> None:
        """Wait until it is visible."""
        await self._chromium.do(self._frame.locator(what).first.wait_for(state="visible", timeout=deadline_s * 1000))

    async def count(self, what: str) -> int:
        return await self._chromium.do(self._frame.locator(what).count())


class Window:
    """One person's browser: cookies and storage of its own, one page. What its console complains of is kept."""

    def __init__(self, chromium: "Chromium", page: Page, language: Language = "zh") -> None:
        self._chromium = chromium
        self._page = page
        self.language: Language = language
        """Of whoever sits before it: the pages speak it until another is chosen in them."""
        self.complaints: list[str] = []
        self.asked: list[str] = []
        """Every address that its pages have asked for."""
        page.on("console", lambda line: self.complaints.append(line.text) if line.type == "error" else None)
        page.on("request", lambda request: self.asked.append(request.url))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def words(self, word: str, **values: object) -> str:
        """What the pages say for this word of their tables (`tests/peers/words.py`), in the person's language."""
        return words(word, self.language, **values)

    def row(self, word: str) -> list[str]:
        """The same, for a word that stands for several in a row."""
        return row(word, self.language)

    def says(self, word: str, **values: object) -> str:
        """The end of a selector: `f".rail .item{window.says('rail.history')}"`."""
        return says(word, self.language, **values)

    async def changes_language(self, by: str) -> None:
        """To the other one, by this control."""
        await self.click(by)
        self.language = "en" if self.language == "zh" else "zh"

    async def tap(self) -> None:
        """From the next page on `hears_hz` can tell what its calls let it hear."""
        await self._do(self._page.add_init_script(_TAP))

    async def hears_hz(self) -> int:
        """The strongest tone that the newest call of the page brings, by the browser's own ear; 0 for silence."""
        return int(await self._do(self._page.evaluate(_LISTEN)))

    async def beside(self, address: str) -> "Window":
        """One more window of the same person; it closes with this one."""
        other = Window(self._chromium, await self._do(self._page.context.new_page()), self.language)
        await other.open(address)
        return other

    async def crash(self) -> None:
        """The renderer dies, as by a fault of its own, and its window is closed; `beside` opens this person another."""
        await self._do(self._crash())

    async def _crash(self) -> None:
        async with self._page.expect_event("crash"):
            with suppress(Error):
                await self._page.goto("chrome://crash")
        await self._page.close()

    async def offline(self, is_offline: bool) -> None:
        """As when a cable is pulled, or Wi-Fi gives way to another: the browser knows that it has no network."""
        await self._do(self._page.context.set_offline(is_offline))

    async def open(self, address: str) -> None:
        await self._do(self._page.goto(address, wait_until="domcontentloaded"))

    async def before_all(self, script: str) -> None:
        """Run it in each page of this window before the page's own scripts; one that is open is loaded again."""
        await self._do(self._page.add_init_script(script))
        await self.reload()

    async def reload(self) -> None:
        await self._do(self._page.reload(wait_until="domcontentloaded"))

    async def resize(self, size: tuple[int, int]) -> None:
        """As when a telephone's keyboard comes up below the page."""
        width, height = size
        await self._do(self._page.set_viewport_size({"width": width, "height": height}))

    async def write(self, into: str, text: str) -> None:
        """Fill the field that this selector finds."""
        await self._do(self._page.fill(into, text))

    async def type(self, into: str, text: str) -> None:
        """Press the keys one by one."""
        await self._do(self._page.locator(into).press_sequentially(text, delay=20))

    async def press(self, key: str) -> None:
        await self._do(self._page.keyboard.press(key))

    async def click(self, what: str) -> None:
        await self._do(self._page.click(what))

    async def choose(self, into: str, value: str) -> None:
        """An option of a list, by its value."""
        await self._do(self._page.select_option(into, value))

    async def choose_file(self, into: str, file: Path) -> None:
        await self._do(self._page.set_input_files(into, str(file)))

    async def sees(self, what: str, deadline_s: float = ACTION_S) -> str:
        """Wait until it is visible; gives its text."""
        place = self._page.locator(what).first
        try:
            await self._do(place.wait_for(state="visible", timeout=deadline_s * 1000))
        except Error:
            shown = await self._do(self._page.inner_text("body"))
            raise AssertionError(f"{what} is not seen within {deadline_s} s, but:\n{shown}") from None
        return await self._do(place.inner_text())

    async def sees_no(self, what: str, deadline_s: float = ACTION_S) -> None:
        """Wait until nothing of the kind is visible."""
        await self._do(self._page.locator(what).first.wait_for(state="hidden", timeout=deadline_s * 1000))

    async def count(self, what: str) -> int:
        return await self._do(self._page.locator(what).count())

    async def texts(self, what: str) -> list[str]:
        return await self._do(self._page.locator(what).all_inner_texts())

    async def evaluate(self, script: str) -> Any:
        return await self._do(self._page.evaluate(script))

    async def show(self, page: str) -> None:
        """A page from its text."""
        await self._do(self._page.set_content(page))

    async def is_at(self, latitude: float, longitude: float, accuracy_m: float = 10.0) -> None:
        """Where this browser is, and that its pages may know it."""
        context = self._page.context
        await self._do(context.grant_permissions(["geolocation"]))
        place: Any = {"latitude": latitude, "longitude": longitude, "accuracy": accuracy_m}
        await self._do(context.set_geolocation(place))

    async def choose_files(self, into: str, files: Sequence[Path]) -> None:
        await self._do(self._page.set_input_files(into, [str(file) for file in files]))

    async def picture(self, file: Path, *, whole: bool = False) -> None:
        """What is seen of the page; or all of it. Nothing where nobody keeps pictures."""
        if not self._chromium.keeps_pictures:
            return
        file.parent.mkdir(parents=True, exist_ok=True)
        await self._do(self._page.screenshot(path=str(file), animations="disabled", full_page=whole))

    def within(self, which: str) -> Frame:
        """The page in the frame that this selector finds."""
        return Frame(self._chromium, self._page, which)

    async def close(self) -> None:
        await self._do(self._page.context.close())

    async def _do(self, work: Coroutine[Any, Any, T]) -> T:
        return await self._chromium.do(work)


class Chromium:
    """The browser process. Pictures take half a second of a core each: they are taken where they are kept."""

    def __init__(self, microphone: Path | None = None, *, keeps_pictures: bool = True) -> None:
        """What is said into the microphone, again and again; None beeps once a second."""
        self.keeps_pictures = keeps_pictures
        self._said = () if microphone is None else (f"--use-file-for-fake-audio-capture={microphone}",)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="browser", daemon=True)
        self._playwright: Playwright | None = None
        self._browser: Browser | None = None

    def start(self) -> Self:
        program = shutil.which("chromium")
        if program is None:
            raise ChromiumMissingError
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._launch(program), self._loop).result(30)
        return self

    def stop(self) -> None:
        asyncio.run_coroutine_threadsafe(self._quit(), self._loop).result(30)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    async def window(
        self, size: tuple[int, int] = DESKTOP, *, language: Language = "zh", calls_itself: str | None = None
    ) -> Window:
        """A window that shares nothing with the others; `calls_itself` is another browser's User-Agent."""
        return await self.do(self._window(size, language, calls_itself))

    async def do(self, work: Coroutine[Any, Any, T]) -> T:
        """Run on the browser's own loop."""
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self._loop))

    async def _launch(self, program: str) -> None:
        self._playwright = await async_playwright().start()
        self._browser = await self._playwright.chromium.launch(executable_path=program, args=[*FLAGS, *self._said])

    async def _quit(self) -> None:
        if self._browser is not None:
            await self._browser.close()
        if self._playwright is not None:
            await self._playwright.stop()

    async def _window(self, size: tuple[int, int], language: Language, calls_itself: str | None) -> Window:
        assert self._browser is not None
        width, height = size
        context = await self._browser.new_context(
            viewport={"width": width, "height": height},
            locale=_LOCALES[language],
            user_agent=calls_itself,
            timezone_id="Asia/Shanghai",
            has_touch=width < 600,
        )
        context.set_default_timeout(ACTION_S * 1000)
        await context.add_init_script(_CHOSEN % language)
        return Window(self, await context.new_page(), language)
