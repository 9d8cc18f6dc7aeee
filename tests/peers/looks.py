"""What a page owes to whoever looks: nothing that axe finds, nothing cut off or covered; and the album of pictures.

`make screens` takes the pictures of docs/screens, and holds each look of each page to the same rules as it takes them.
Every day no picture is taken: a test that is there anyway asks for `breaches` and `out_of_reach` of what it sees.
"""

import asyncio
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from tests.peers.browser import DESKTOP, Window
from tests.peers.preloaded import HOUSE

SMALL, WALL = (1280, 720), (2560, 1440)
"""The smallest screen that an agent's desk is promised on, and the largest."""
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
AXE = HOUSE / "web" / "node_modules" / "axe-core" / "axe.min.js"
_RESTS = """Promise.race([new Promise((done) => setTimeout(done, 2000)),
    Promise.all(document.getAnimations().filter(a => a.effect.getTiming().iterations < 9)
        .map(a => a.finished.catch(() => 0)))]).then(() => 0)"""
"""One that is replaced by another in its frame may never tell its end: it is waited for 2 s at most."""
_DRAWN = "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(0))))"
_PRESS = """(words) => {
    const all = [...document.querySelectorAll(".rail .item, .language, .looks button")];
    all.find((one) => words.some((word) => one.innerText.trim().endsWith(word)))?.click();
}"""
_SHIFTED = """new Promise((done) => {
    let sum = 0;
    const add = (entries) => entries.forEach(({ value }) => (sum += value));
    const watch = new PerformanceObserver((list) => add(list.getEntries()));
    watch.observe({ type: "layout-shift", buffered: true });
    requestAnimationFrame(() => requestAnimationFrame(() => {
        add(watch.takeRecords());
        done(sum);
    }));
})"""
_HELD_UP_BY = """performance.getEntriesByType("resource").filter((one) => one.renderBlockingStatus === "blocking")
    .map((one) => one.name)"""
_OUT_OF_REACH = """(smallest) => {
    const controls = "a[href], button, input:not([type=hidden]), select, textarea, summary, [role=option]";
    const shown = (one) => one.checkVisibility({ visibilityProperty: true }) && !one.closest("[inert]");
    // What is opened above the page covers it on purpose: the last of these is what one has to do with.
    const above = "dialog[open], .el-overlay, .veil, .voice, [role=listbox], .bell section";
    const layers = [...document.querySelectorAll(above)].filter(shown);
    const isHit = (one) => {
        const { left, top, width, height } = one.getBoundingClientRect();
        const over = document.elementFromPoint(left + width / 2, top + height / 2);
        return over && (one.contains(over) || over.contains(one) || over.closest("label")?.contains(one)) ? "" : over;
    };
    const wrong = [];
    for (const one of [...(layers.at(-1) ?? document.body).querySelectorAll(controls)].filter(shown)) {
        const { width, height } = (one.closest("label") ?? one).getBoundingClientRect();
        if (one.getBoundingClientRect().width <= 1) continue;  // drawn by its label
        const says = `${one.className || one.tagName} "${(one.ariaLabel || one.innerText || "").trim().slice(0, 20)}"`;
        if (getComputedStyle(one).display !== "inline" && Math.min(width, height) < smallest - 0.5)
            wrong.push(`${says} is ${Math.round(width)} by ${Math.round(height)}`);
        if (isHit(one) === "") continue;
        // Not in sight, or under what stays at an edge: what can be scrolled to is not lost. What is cut off cannot.
        const around = [];
        for (let at = one.parentElement; at; at = at.parentElement) around.push([at, at.scrollTop, at.scrollLeft]);
        one.scrollIntoView({ block: "center", inline: "center" });
        const over = isHit(one);
        if (over !== "") wrong.push(`${says} is covered by ${over?.getAttribute("class") || over?.tagName}`);
        const isCut = (at) => /hidden|clip/.test(getComputedStyle(at).overflow);
        if (around.some(([at, top]) => isCut(at) && at.scrollTop !== top)) wrong.push(`${says} is cut off`);
        for (const [at, top, left] of around) at.scrollTo({ top, left, behavior: "instant" });
    }
    return wrong;
}"""


async def breaches(window: Window, only: Sequence[str] = ()) -> list[str]:
    """What axe finds wrong, by these rules or by all, one line each.

    Animations are waited for: a colour on its way has no contrast yet.
    """
    await window.evaluate(_RESTS)
    if not await window.evaluate("'axe' in window"):
        await window.evaluate(AXE.read_text() + "; 0")
    asked = f"{{ runOnly: {list(only) or RULES}, resultTypes: ['violations'] }}"
    found: list[dict[str, Any]] = await window.evaluate(f"axe.run(document, {asked}).then(found => found.violations)")
    return [f"{one['id']}: {node['html'][:160]}" for one in found for node in one["nodes"]]


async def sideways_px(window: Window) -> int:
    """By how much the page is wider than its window."""
    return int(await window.evaluate("document.documentElement.scrollWidth - innerWidth"))


async def shifted(window: Window) -> float:
    """How far what was drawn has moved since the page was opened, without being touched (Cumulative Layout Shift)."""
    return float(await window.evaluate(_SHIFTED))


async def held_up_by(window: Window) -> list[str]:
    """What the page had to have before anything of it could be drawn."""
    found: list[str] = await window.evaluate(_HELD_UP_BY)
    return found


async def out_of_reach(window: Window, smallest_px: int = 24) -> list[str]:
    """Controls that are covered, cut off, or too small: WCAG 2.2, 2.5.8, asks for 24 px each way, but in a text."""
    await window.evaluate(_RESTS)
    found: list[str] = await window.evaluate(f"({_OUT_OF_REACH})({smallest_px})")
    return found


async def _in_few_colours(picture: Path) -> None:
    """A page has few: 256 of them make a picture a third as large. Where they would not do, it stays as it is."""
    asked = ("--quality=70-98", "--speed=1", "--strip", "--skip-if-larger", "--force", "--ext=.png")
    done = await asyncio.create_subprocess_exec("pngquant", *asked, "--", str(picture))
    assert await done.wait() in (0, 98, 99), "98: it was smaller before; 99: too many colours"


def no(found: list[str]) -> bool:
    """Whether nothing was found; prints it otherwise."""
    print(*found, sep="\n")
    return not found


class Album:
    """Pictures by name. Closed, as it is every day, it takes none."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self.faults: list[str] = []
        """Of all looks that were taken, each with its picture's name."""

    @property
    def is_open(self) -> bool:
        return self._folder is not None

    async def shows(self, window: Window, name: str, *, kept: bool = True) -> None:
        """What is seen now: held to the rules, and its picture kept."""
        if self._folder is None:
            return
        await window.evaluate(_RESTS)
        if kept:
            await window.picture(file := self._folder / f"{name}.png")
            await _in_few_colours(file)
        wrong = await breaches(window) + await out_of_reach(window)
        if await sideways_px(window) > 0:
            wrong.append("is wider than its window")
        self.faults += [f"{name}: {one}" for one in wrong]

    async def shows_desk(
        self, window: Window, name: str, size: tuple[int, int] = DESKTOP, *, kept: Collection[str] = ()
    ) -> None:
        """As it is; dark, in English, on the smallest screen and the largest: of these some are kept as pictures."""
        await self.shows(window, name)
        if not self.is_open:
            return
        for look, there, back in (("dark", "深色", "浅色"), ("english", "EN", "中文")):
            await self._press(window, there)
            await self.shows(window, f"{name}-{look}", kept=look in kept)
            await self._press(window, back)
        for look, other in (("1280", SMALL), ("2560", WALL)):
            await window.resize(other)
            await self.shows(window, f"{name}-{look}", kept=look in kept)
        await window.resize(size)

    async def shows_page(self, window: Window, name: str, *, kept: bool = False) -> None:
        """A citizen's: as it is, and in English."""
        await self.shows(window, name)
        if self.is_open:
            await self._press(window, "English")
            await self.shows(window, f"{name}-english", kept=kept)
            await self._press(window, "中文")

    async def _press(self, window: Window, word: str) -> None:
        await window.evaluate(f"({_PRESS})(['{word}'])")
        await window.evaluate(_DRAWN)
