"""The design is of one piece: the desk is drawn with the tokens of web/shared/tokens.css and web/desk/desk.css."""

import re

import pytest

from tests.peers.preloaded import HOUSE

DESK = HOUSE / "web" / "desk"
TOKENS = ("desk.css", "dark.css")
STYLE = re.compile(r"<style[^>]*>(.*?)</style>", re.DOTALL)
LINE = re.compile(r"^\s*(?P<what>[a-z-]+): (?P<value>[^;]+);$", re.MULTILINE)
COLOUR = re.compile(r"#[0-9a-fA-F]{3,8}\b|\brgba?\(|\bhsla?\(")
LENGTH = re.compile(r"(?<![\w.])(?:\d*\.?\d+rem|(?:[3-9]|\d{2,})px)\b")
"""A hairline is none; nor is a share of its own letters (em), as on the wall, or of the window."""


def _styles() -> dict[str, str]:
    parts = [*DESK.rglob("*.vue"), *(one for one in DESK.rglob("*.css") if one.name not in TOKENS)]
    return {
        str(part.relative_to(DESK)): text if part.suffix == ".css" else "\n".join(STYLE.findall(text))
        for part in sorted(parts)
        for text in (part.read_text(encoding="utf-8"),)
    }


@pytest.mark.parametrize(
    ("what", "stray"),
    [
        (r"(row-|column-)?gap|(padding|margin)(-[a-z-]+)?", LENGTH),
        (r"font-size", LENGTH),
        (r"border(-[a-z]+)*-radius", LENGTH),
        (r".*", COLOUR),
    ],
    ids=["distances", "letters", "corners", "colours"],
)
def test_it_is_made_of_the_tokens(what: str, stray: re.Pattern[str]) -> None:
    drawn = [
        f"{part}: {line['what']}: {line['value']}"
        for part, text in _styles().items()
        for line in LINE.finditer(text)
        if re.fullmatch(what, line["what"]) and "clamp(" not in line["value"] and stray.search(line["value"])
    ]
    assert drawn == []


def test_the_dark_has_every_colour_that_a_text_or_a_ground_takes() -> None:
    """Those of the rail, the brand and lamps are the same in both."""
    light, dark = (
        set(re.findall(r"(--[a-z0-9-]+): [^;]*(?:#|rgb\()", text))
        for text in (
            (HOUSE / "web" / "shared" / "tokens.css").read_text() + (DESK / "desk.css").read_text(),
            (DESK / "dark.css").read_text(),
        )
    )
    same = {one for one in light if one.startswith(("--el-", "--rail", "--brand", "--lamp", "--veil"))}
    assert light - same == dark
