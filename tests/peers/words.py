"""What the pages say, read from the tables that they are built from.

A test names the word that it looks for, as the page's source does: in the language of its run, a word that is missing
from the table fails there, and one that is missing from the page is not found.
"""

import json
import re
from functools import cache
from pathlib import Path
from typing import Any, Literal

from tests.peers.preloaded import HOUSE

Language = Literal["zh", "en"]
LANGUAGES: tuple[Language, ...] = ("zh", "en")

_WEB = HOUSE / "web"
_ADMIN = {"words": "", "prompt_words": "prompts", "role_words": "roles", "wrapup": "wrap"}
"""The files of administration, and under which name the first one takes the others in."""
_TOKEN = re.compile(
    r'(?P<skip>\s+|//[^\n]*|/\*.*?\*/)|(?P<text>"(?:[^"\\]|\\.)*")|(?P<name>[\w.]+)|(?P<mark>[{}\[\]:,])', re.DOTALL
)
_PLACE = re.compile(r"\{(\w+)\}")


class UnknownWord(Exception):
    """No page says this in that language."""

    def __init__(self, word: str, language: Language) -> None:
        self.word, self.language = word, language
        super().__init__(f"{word} has no words in {language}")


def words(word: str, language: Language, **values: object) -> str:
    """What stands in the table: `rail.history` at the desk, `admin.hours.own`, `widget.call.hang_up` (of `call.ts`).

    Of one with places (`{time}`) that no value is given for, the longest piece between them. Raises `UnknownWord`.
    """
    found = _found(word, language)
    if not isinstance(found, str):
        raise UnknownWord(word, language)
    filled = _PLACE.sub(lambda place: str(values.get(place[1], place[0])), found)
    return max(_PLACE.split(filled)[::2], key=len).strip() if _PLACE.search(filled) else filled


def row(word: str, language: Language) -> list[str]:
    """The same for several words in a row, as the days of the week. Raises `UnknownWord`."""
    found = _found(word, language)
    if not isinstance(found, list):
        raise UnknownWord(word, language)
    return found


def says(word: str, language: Language, **values: object) -> str:
    """The end of a selector: what shows this word somewhere in it."""
    return f":has-text({json.dumps(words(word, language, **values), ensure_ascii=False)})"


def _found(word: str, language: Language) -> Any:
    found: Any = _tables(language)
    for part in word.split("."):
        found = found.get(part) if isinstance(found, dict) else None
    return found


@cache
def _tables(language: Language) -> dict[str, Any]:
    def told(file: Path) -> dict[str, Any]:
        return _table(file.read_text(encoding="utf-8"), language)

    desk = {word: said for file in (_WEB / "desk" / "words").glob("*.ts") for word, said in told(file).items()}
    admin: dict[str, Any] = {}
    for file, name in _ADMIN.items():
        table = told(_WEB / "desk" / "administration" / f"{file}.ts")
        admin |= {name: table} if name else table
    widget = {file.stem: told(file) for file in (_WEB / "widget").glob("*.ts")}
    return desk | {"admin": admin, "widget": widget}


def _table(source: str, language: Language) -> dict[str, Any]:
    """The object that the file calls by the language's name; empty where there is none."""
    begin = re.search(rf"^(?:export )?const {language}\b[^=]*= (?={{)", source, re.MULTILINE)
    if begin is None:
        return {}
    tokens = [one for one in _TOKEN.finditer(source, begin.end()) if one.lastgroup != "skip"]
    tokens.reverse()
    table: dict[str, Any] = _value(tokens)
    return table


def _value(tokens: list[re.Match[str]]) -> Any:
    """A literal, from the tokens that are left. What is named instead of told (`prompts: promptsZh`) is None."""
    match (token := tokens.pop()).group():
        case "{":
            table = {}
            while (name := tokens.pop().group()) != "}":
                if name != ",":
                    tokens.pop()
                    table[name.strip('"')] = _value(tokens)
            return table
        case "[":
            row = []
            while tokens[-1].group() != "]":
                row.append(_value(tokens))
                if tokens[-1].group() == ",":
                    tokens.pop()
            tokens.pop()
            return row
        case text if token.lastgroup == "text":
            return json.loads(text)
        case _:
            return None
