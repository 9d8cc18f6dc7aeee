"""What bots refuse."""

from __future__ import annotations

from session.errors import YihaoError


class BotError(YihaoError):
    """The root of this folder's errors."""


class BadHours(BotError):
    """Opening hours that cannot be read."""

    def __init__(self, text: str) -> None:
        self.text = text
        super().__init__(f'{text!r} is not like "mon-fri 08:30-18:00"')
