"""By which name a citizen calls themselves (自称), as it may be kept and shown. Pure.

Nobody has proven it: a telephone's display name, a nickname, what was typed into a form. So it must not look like more
than it is: it cannot turn the text around it, break its line, hide what stands in it, or be a number in disguise.
"""

from __future__ import annotations

import re
import unicodedata

LONGEST_NAME = 150
"""In characters. A nickname of WeChat has 32 at the most; telephones send what they like."""
_JOINERS = "\u200c\u200d"
"""Names in Persian and families of emoji are written with them; of what cannot be seen nothing else is let through."""
_BLANK = frozenset("\u115f\u1160\u2800\u3164\uffa0")
"""Letters and signs that show nothing: names are made of them so as to seem to have none."""
_NUMBER = re.compile(r"[+\d\s().*#-]+")


def self_given(text: str) -> str:
    """One line of what can be seen of it; empty for what is no name.

    A trunk that knows no name writes the number there, which is masked before agents and would stand there in full.
    """
    shown = "".join(_shown(one) for one in text[: 4 * LONGEST_NAME])
    name = " ".join(shown.split())[:LONGEST_NAME].strip()
    return name if any(map(_is_seen, name)) and not _NUMBER.fullmatch(name) else ""


def _shown(one: str) -> str:
    """Controls and ends of lines part words; marks of direction and spaces of no width leave nothing behind."""
    kind = unicodedata.category(one)
    if kind == "Cf":
        return one if one in _JOINERS or "\U000e0020" <= one <= "\U000e007f" else ""
    return " " if kind in {"Cc", "Cs", "Zl", "Zp"} else one


def _is_seen(one: str) -> bool:
    return unicodedata.category(one)[0] in "LNPS" and one not in _BLANK
