"""Notices (通知): what the house itself tells a citizen by text, in reviewed words."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from channels.sms.carrier import Template
from channels.sms.errors import TemplateNeeded
from session.ids import SessionId

_PLACE = re.compile(r"\{([a-z_][a-z0-9_]*)\}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One notice to one citizen."""

    id: str
    """Sent once, however often it is asked for."""
    template: Template
    session: SessionId | None = None
    """In whose timeline a message of this id stands, which then is told when it is delivered."""
    campaign: str = ""
    """Many are sent for one purpose; they go out no faster than the settings say."""
    asked_for: bool = False
    """The citizen waits for it (a code, a link): sent at any hour, and to those who opted out too."""


def rendered(templates: Mapping[str, str], template: Template) -> str:
    """The text in full. What the template has no place for is left out. Raises `TemplateNeeded`.

    Not `str.format`: a parameter or a template with dots and brackets would reach into objects.
    """
    text = templates.get(template.name)
    if text is None or any(name not in template.parameters for name in _PLACE.findall(text)):
        raise TemplateNeeded("the house", template.name)
    return _PLACE.sub(lambda place: template.parameters[place[1]], text)
