"""The kinds of documents that there are, and what is in force until an administrator writes the first version."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from importlib import resources

from sqlalchemy.ext.asyncio import AsyncConnection

from rulebook.canned import Canned
from rulebook.document import Document, read
from rulebook.hours import BusinessHours
from rulebook.prompts import Prompts
from rulebook.routing import Routing
from rulebook.ways import WaysOn
from rulebook.words import Words
from rulebook.wrapup import WrapUp

HOURS, ROUTING, CANNED, WORDS, WAYS, WRAP, PROMPTS = "hours", "routing", "canned", "words", "ways", "wrap", "prompts"
ROLES = "roles"


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """Of a kind whose document stands in tables of its own: versions are kept beside them."""

    now: Callable[[], Awaitable[Document]]
    """What stands there."""
    becoming: Callable[[Document], Awaitable[Document]]
    """What the tables would say after this document was put there. Raises `ValueError` for what cannot be."""
    put: Callable[[AsyncConnection, Document], Awaitable[None]]
    """In the transaction that writes the version."""


Proof = Callable[[Document], Awaitable[None]]
"""Raises `ValueError` for a document that what stands elsewhere does not allow."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One of them. `default` is version 0."""

    name: str
    form: type[Document]
    default: Document
    elsewhere: Elsewhere | None = None
    proof: Proof | None = None
    """What must hold besides, beyond what the document itself can know."""


def kinds(hours: Sequence[str], heard: Proof | None = None) -> Sequence[Kind]:
    """Those that the rulebook itself keeps. `hours` are the operator's, of the settings; `heard` knows the sounds.

    Raises `BadHours`.
    """
    return (
        Kind(HOURS, BusinessHours, BusinessHours.parse(hours)),
        *(Kind(name, form, _shipped(name, form)) for name, form in ((ROUTING, Routing), (CANNED, Canned))),
        Kind(WORDS, Words, Words()),
        Kind(WAYS, WaysOn, WaysOn()),
        Kind(WRAP, WrapUp, WrapUp()),
        Kind(PROMPTS, Prompts, Prompts(), proof=heard),
    )


def _shipped(name: str, form: type[Document]) -> Document:
    return read(name, form, resources.files("rulebook").joinpath("defaults", f"{name}.json").read_bytes())
