"""The whole configuration as TOML, with secrets hidden (`yihao config`)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

from config.secret import Secret
from config.settings import Settings


def effective(settings: Settings) -> str:
    """TOML that `load` would read back to the same settings, but for what is hidden."""
    return "\n\n".join(_tables(settings, "")) + "\n"


def _tables(section: Any, name: str) -> Iterator[str]:
    """One table with its own keys, and then those below it."""
    values = {one.name: getattr(section, one.name) for one in fields(section)}
    plain = [f"{key} = {_toml(value)}" for key, value in values.items() if not is_dataclass(value)]
    yield "\n".join([f"[{name}]", *plain] if name else plain)
    for key, value in values.items():
        if is_dataclass(value):
            yield from _tables(value, f"{name}.{key}" if name else key)


def _toml(value: Any) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case float():
            return str(int(value)) if value.is_integer() else repr(value)
        case tuple():
            return "[" + ", ".join(_toml(one) for one in value) + "]"
        case Secret() | Path() | str():
            # TOML's basic strings (toml.io 1.0) are JSON's, but for U+007F, which must be escaped too.
            return json.dumps(str(value), ensure_ascii=False).replace("\x7f", "\\u007f")
    if is_dataclass(value):
        return "{ " + ", ".join(f"{one.name} = {_toml(getattr(value, one.name))}" for one in fields(value)) + " }"
    raise TypeError(type(value).__name__)
