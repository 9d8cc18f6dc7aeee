"""Notices (通知): what the house itself tells a citizen, in reviewed words, at an address and outside of any leg.

Carriers and platforms send what nobody has asked for only as a template (模板) that they have reviewed, with its
parameters. So a notice is never free text; and its words, which the operator may change, stand in the settings.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from session.ids import MessageId, SessionId

_PLACE = re.compile(r"\{([a-z_][a-z0-9_]*)\}")


@dataclass(frozen=True, slots=True)
class Template:
    """A reviewed template with its parameters, in the order in which the template names them."""

    name: str
    parameters: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One notice to one citizen."""

    id: MessageId
    """Sent once, however often it is asked for."""
    template: Template
    session: SessionId | None = None
    """In whose timeline it stands, and is told delivered or failed."""
    campaign: str = ""
    """Many are sent for one purpose; they go out no faster than the settings say."""
    asked_for: bool = False
    """The citizen waits for it (a code, a link): sent at any hour, and to those who opted out too."""


def rendered(words: Mapping[str, str], template: Template) -> str | None:
    """The text in full; None where there are no words by that name, or a place in them that nothing fills.

    What the words have no place for is left out. Not `str.format`: a parameter or a template with dots and brackets
    would reach into objects.
    """
    text = words.get(template.name)
    if text is None or any(name not in template.parameters for name in _PLACE.findall(text)):
        return None
    return _PLACE.sub(lambda place: template.parameters[place[1]], text)
