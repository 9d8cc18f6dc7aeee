"""Layers of keys and values into `Settings`. Pure but for the two files that lie in this folder.

Layers are flat: `{"sip.port": 5070}`. Later ones stand above earlier ones.
"""

from __future__ import annotations

import difflib
import math
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields, is_dataclass, replace
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, cast, get_args, get_origin, get_type_hints

from config.errors import BadValue, UnknownKey, UnreadableFile
from config.limits import Limit
from config.secret import Secret
from config.settings import Settings

_HERE = Path(__file__).parent
_LARGEST_FILE_BYTES = 1024 * 1024
_LONGEST_TEXT = 4096
_LONGEST_LIST = 1000
_PREFIX = "YIHAO_"


@dataclass(frozen=True, slots=True)
class Layer:
    """Some settings, and where they come from, for the error that one of them may cause."""

    source: str
    values: Mapping[str, Any]
    text: bool = False
    """The values are texts yet to be read by their type."""


@cache
def keys() -> Mapping[str, Any]:
    """Every key with its annotated type: `{"sip.port": Port, …}`."""
    return dict(_keys_of(Settings, ""))


def _keys_of(section: type, prefix: str) -> Iterator[tuple[str, Any]]:
    hints = get_type_hints(section, include_extras=True)
    for one in fields(section):
        hint = hints[one.name]
        if is_dataclass(hint):
            yield from _keys_of(cast("type", hint), f"{prefix}{one.name}.")
        else:
            yield prefix + one.name, hint


def defaults() -> Layer:
    """What stands in `default.toml`."""
    return file_layer(_HERE / "default.toml", source="default.toml")


def demo() -> Layer:
    """What the demonstration profile lays above the defaults."""
    return file_layer(_HERE / "demo.toml", source="demo.toml")


def file_layer(path: Path, *, source: str | None = None) -> Layer:
    """A TOML file. Raises `UnreadableFile`, `UnknownKey`."""
    try:
        with path.open("rb") as file:
            data = file.read(_LARGEST_FILE_BYTES + 1)
        if len(data) > _LARGEST_FILE_BYTES:
            raise UnreadableFile(path, "larger than a megabyte")
        whole = tomllib.loads(data.decode())
    except OSError as error:
        raise UnreadableFile(path, error.strerror or "cannot be read") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UnreadableFile(path, f"is no TOML: {error}") from error
    return _known(Layer(source or str(path), dict(_flat(whole, ""))))


def _flat(table: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for name, value in table.items():
        if isinstance(value, dict) and value:
            yield from _flat(value, f"{prefix}{name}.")
        elif not (isinstance(value, dict) and _is_section(prefix + name)):
            yield prefix + name, value


def _is_section(name: str) -> bool:
    return any(key.startswith(f"{name}.") for key in keys())


def environment_layer(environment: Mapping[str, str]) -> Layer:
    """`YIHAO_SIP__PORT`. Names without the double underscore belong to tools too, so an unknown one is let be."""
    values = {}
    for name, value in environment.items():
        key = name.removeprefix(_PREFIX).lower().replace("__", ".")
        if name.startswith(_PREFIX) and ("__" in name or key in keys()):
            values[key] = value
    return _known(Layer("environment", values, text=True))


def argument_layer(arguments: Sequence[str]) -> Layer:
    """`section.key=value`, as given to `--set`."""
    values = {}
    for argument in arguments:
        key, equals, value = argument.partition("=")
        if not equals:
            raise BadValue(argument, "--set", "written section.key=value")
        values[key.strip()] = value
    return _known(Layer("--set", values, text=True))


def _known(layer: Layer) -> Layer:
    for key in layer.values:
        if key not in keys():
            raise UnknownKey(key, layer.source, _nearest(key))
    return layer


def _nearest(key: str) -> str | None:
    by_whole = difflib.get_close_matches(key, list(keys()), n=1, cutoff=0.75)
    if by_whole:
        return by_whole[0]
    by_name = {known.rpartition(".")[2]: known for known in keys()}
    alike = difflib.get_close_matches(key.rpartition(".")[2], list(by_name), n=1, cutoff=0.75)
    return by_name[alike[0]] if alike else None


def build(layers: Sequence[Layer]) -> Settings:
    """The settings that the layers make. Raises `BadValue`."""
    values: dict[str, Any] = {}
    for layer in layers:
        for key, raw in layer.values.items():
            values[key] = _Reader(key, layer).read(keys()[key], raw)
    return cast("Settings", _assemble(Settings, "", values))


def _assemble(section: type, prefix: str, values: Mapping[str, Any]) -> Any:
    hints = get_type_hints(section)
    return section(
        **{
            one.name: _assemble(cast("type", hints[one.name]), f"{prefix}{one.name}.", values)
            if is_dataclass(hints[one.name])
            else values[prefix + one.name]
            for one in fields(section)
        }
    )


class _Reader:
    """Reads one value by its annotated type; every refusal names the key."""

    def __init__(self, key: str, layer: Layer) -> None:
        self._key, self._layer = key, layer

    def read(self, hint: Any, raw: Any) -> Any:
        value = self._typed(hint, _untext(hint, raw) if self._layer.text else raw)
        if self._is_time:
            self._hold_time(value)
        return value

    @property
    def _is_time(self) -> bool:
        return self._key.endswith("_s") and not self._key.endswith("_per_s")

    def _hold_time(self, value: Any) -> None:
        times = value if isinstance(value, tuple) else (value,)
        if not times or not all(math.isfinite(time) and time >= 0 for time in times):
            raise self.refusal("a number of seconds, not negative")

    def _typed(self, hint: Any, raw: Any) -> Any:
        origin, args = get_origin(hint), get_args(hint)
        if origin is Annotated:
            return self._limited(args[0], args[1:], raw)
        if origin is tuple:
            if not isinstance(raw, list) or len(raw) > _LONGEST_LIST:
                raise self.refusal("a list")
            return tuple(self._typed(args[0], one) for one in raw)
        if origin is Literal:
            if raw not in args:
                raise self.refusal("one of " + ", ".join(args))
            return raw
        return self._table(hint, raw) if is_dataclass(hint) else self._plain(hint, raw)

    def _table(self, kind: Any, raw: Any) -> Any:
        """One table of a list of tables. Its keys may be left out where they have a default."""
        if not isinstance(raw, dict):
            raise self.refusal("a table")
        hints = get_type_hints(kind, include_extras=True)
        for name in raw:
            if name not in hints:
                nearest = next(iter(difflib.get_close_matches(name, hints, n=1)), None)
                raise UnknownKey(f"{self._key}.{name}", self._layer.source, nearest)
        values = {}
        for one in fields(kind):
            reader = _Reader(f"{self._key}.{one.name}", replace(self._layer, text=False))
            if one.name in raw:
                values[one.name] = reader.read(hints[one.name], raw[one.name])
            elif one.default is MISSING:
                raise reader.refusal("there")
        return kind(**values)

    def _limited(self, hint: Any, limits: Sequence[Limit], raw: Any) -> Any:
        value = self._typed(hint, raw)
        bare = value.reveal() if isinstance(value, Secret) else value
        for limit in limits:
            if not limit.allows(bare):
                raise self.refusal(limit.wanted)
        return value

    def _plain(self, kind: Any, raw: Any) -> Any:
        if kind is bool:
            if not isinstance(raw, bool):
                raise self.refusal("true or false")
            return raw
        if kind in (int, float):
            if isinstance(raw, bool) or not isinstance(raw, int if kind is int else int | float):
                unit = "a number of seconds, without a unit" if self._is_time else "a number"
                raise self.refusal("a whole number" if kind is int else unit)
            return kind(raw)
        if not isinstance(raw, str) or len(raw) > _LONGEST_TEXT or "\0" in raw:
            raise self.refusal("a text")
        return kind(raw)

    def refusal(self, wanted: str) -> BadValue:
        """What is said of a value that does not fit."""
        return BadValue(self._key, self._layer.source, wanted)


def _untext(hint: Any, text: str) -> Any:
    """The TOML value that a bare text from the environment or an argument means; itself where it means none."""
    while get_origin(hint) is Annotated:
        hint = get_args(hint)[0]
    if get_origin(hint) is tuple and not text.lstrip().startswith("["):
        item = get_args(hint)[0]
        return [_untext(item, one.strip()) for one in text.split(",") if one.strip()]
    if hint in (bool, int, float) or get_origin(hint) is tuple:
        try:
            return tomllib.loads(f"value = {text.strip()}")["value"]
        except tomllib.TOMLDecodeError:
            return text
    return text
