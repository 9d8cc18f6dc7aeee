"""`load`: the one way to settings. The only place of the whole house that reads the environment."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from config import reading
from config.errors import BadValue
from config.settings import Settings

FILE_NAME = "yihao.toml"


def load(
    *,
    file: Path | None = None,
    arguments: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
) -> Settings:
    """The settings in force: default.toml, demo.toml where the profile is on, the file, the environment, arguments.

    Without `file`, `yihao.toml` in the data folder is read if it is there. Raises `ConfigError`.
    """
    defaults = reading.defaults()
    own = [
        reading.environment_layer(os.environ if environment is None else environment),
        reading.argument_layer(arguments),
    ]
    if file is None:
        beside = reading.build([defaults, *own]).data / FILE_NAME
        file = beside if beside.is_file() else None
    if file is not None:
        own.insert(0, reading.file_layer(file))
    settings = reading.build([defaults, *own])
    if settings.demo:
        settings = reading.build([defaults, reading.demo(), *own])
    _hold_together(settings)
    return settings


def _hold_together(settings: Settings) -> None:
    """What no single key can be blamed for."""
    media = settings.media
    if media.port_max and media.port_max - media.port_min < 3:
        raise BadValue("media.port_max", "the settings together", "at least 3 above media.port_min, or 0")
    if media.port_max and media.port_max - media.port_min < 4 * media.workers:
        raise BadValue(
            "media.port_max", "the settings together", "at least 4 above media.port_min for each of media.workers"
        )
    if not media.codecs:
        raise BadValue("media.codecs", "the settings together", "a list of at least one codec")
    if media.engine == "rtpengine" and not media.rtpengine:
        raise BadValue("media.rtpengine", "the settings together", "at least one, where media.engine is rtpengine")
    if not settings.sip.number:
        raise BadValue("sip.number", "the settings together", "a list of at least one number")
    if settings.sip.register_max_s < settings.sip.register_min_s:
        raise BadValue("sip.register_max_s", "the settings together", "at least sip.register_min_s")
