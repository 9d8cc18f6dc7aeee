"""The whole configuration as TOML, with secrets hidden (`yihao config`)."""

from __future__ import annotations

import json
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

from config.secret import Secret
from config.settings import Settings


def effective(settings: Settings) -> str:
    """TOML that `load` would read back to the same settings, but for what is hidden."""
    plain, sections = [], []
    for one in fields(settings):
        value = getattr(settings, one.name)
        if is_dataclass(value):
            lines = [f"{inner.name} = {_toml(getattr(value, inner.name))}" for inner in fields(value)]
            sections.append("\n".join([f"[{one.name}]", *lines]))
        else:
            plain.append(f"{one.name} = {_toml(value)}")
    return "\n\n".join(["\n".join(plain), *sections]) + "\n"


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
    raise TypeError(type(value).__name__)
