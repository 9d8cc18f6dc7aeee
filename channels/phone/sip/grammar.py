"""The small shared grammar of RFC 3261, section 25.1: tokens, quoted strings, lists and parameters.

Text is str decoded as UTF-8 with surrogate escapes: a display name in GBK survives unharmed and is given back
byte for byte.
"""

from __future__ import annotations

import re

from channels.phone.errors import MalformedMessage

Params = tuple[tuple[str, str | None], ...]

_TOKEN = re.compile(r"[A-Za-z0-9\-.!%*_+`'~]+")
_QUOTED = re.compile(r'"(?:[^"\\\r\n]|\\[^\r\n])*"')
# A generic parameter's value: token, host (with IPv6 brackets or bare, RFC 5118 section 4.5) or quoted string.
_PARAM_VALUE = re.compile(r"[^\s;,=\"<>\\]+")
_PARAM = re.compile(rf";[ \t]*({_TOKEN.pattern})(?:=({_PARAM_VALUE.pattern}|{_QUOTED.pattern}))?[ \t]*")


def is_token(text: str) -> bool:
    """Whether the whole text is one `token`."""
    return _TOKEN.fullmatch(text) is not None


def is_quoted(text: str) -> bool:
    """Whether the whole text is one terminated quoted-string."""
    return _QUOTED.fullmatch(text) is not None


def unquote(text: str) -> str:
    """The content of a quoted-string (escapes undone), or the text itself when it is not quoted."""
    if len(text) >= 2 and text[0] == text[-1] == '"':
        return re.sub(r"\\(.)", r"\1", text[1:-1], flags=re.DOTALL)
    return text


def quote(text: str) -> str:
    """The text as a quoted-string; line ends cannot stand in one and become spaces."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + re.sub(r"[\r\n]+", " ", escaped) + '"'


def split_outside(text: str, separator: str, where: str) -> list[str]:
    """Split at a separator that stands outside quoted strings and angle brackets; parts are stripped."""
    if '"' not in text and ("<" not in text or separator not in text):
        return [part.strip() for part in text.split(separator)]
    parts: list[str] = []
    start = position = 0
    in_angle = False
    while position < len(text):
        character = text[position]
        if character == '"' and not in_angle:
            quoted = _QUOTED.match(text, position)
            if quoted is None:
                raise MalformedMessage(where, "a quoted string is not closed")
            position = quoted.end()
            continue
        if character == "<":
            in_angle = True
        elif character == ">":
            in_angle = False
        elif character == separator and not in_angle:
            parts.append(text[start:position].strip())
            start = position + 1
        position += 1
    parts.append(text[start:].strip())
    return parts


def parse_params(text: str, where: str) -> Params:
    """Header parameters: text that begins with `;`, or is empty. Names are lower-cased, values kept as they came."""
    text = text.strip()
    found: list[tuple[str, str | None]] = []
    position = 0
    while one := _PARAM.match(text, position):
        found.append((one[1].lower(), one[2]))
        position = one.end()
    return tuple(found) if position == len(text) else _parse_odd_params(text, where)


def _parse_odd_params(text: str, where: str) -> Params:
    """Those with blanks in odd places are read, and what is wrong with others is said."""
    if not text.startswith(";"):
        raise MalformedMessage(where, "something stands between the value and its parameters")
    found: list[tuple[str, str | None]] = []
    for part in split_outside(text[1:], ";", where):
        name, equals, value = part.partition("=")
        name, value = name.strip(), value.strip()
        if not is_token(name):
            raise MalformedMessage(where, "a parameter's name is not a token")
        if not equals:
            found.append((name.lower(), None))
        elif is_quoted(value) or _PARAM_VALUE.fullmatch(value):
            found.append((name.lower(), value))
        else:
            raise MalformedMessage(where, "a parameter's value is neither token, host nor quoted string")
    return tuple(found)


def param(params: Params, name: str) -> str | None:
    """A parameter's value; the empty string for one that stands without a value, None for one that is absent."""
    for key, value in params:
        if key == name:
            return "" if value is None else value
    return None


def write_params(params: Params) -> str:
    """Parameters in the form that a header carries."""
    return "".join(f";{name}" if value is None else f";{name}={value}" for name, value in params)


def parse_number(text: str, where: str, limit: int) -> int:
    """Digits only, at most `limit` (RFC 4475, section 3.1.2.4: overlarge values are refused, not wrapped)."""
    text = text.strip()
    if not (text.isascii() and text.isdigit()):
        raise MalformedMessage(where, "not a whole number")
    # Bounded before int(): Python refuses absurd lengths with an error of its own.
    digits = text.lstrip("0") or "0"
    if len(digits) > 20 or int(digits) > limit:
        raise MalformedMessage(where, "number too large")
    return int(digits)
