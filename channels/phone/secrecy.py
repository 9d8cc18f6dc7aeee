"""How secret the sound of a call is to be: by who is at its other end."""

from __future__ import annotations

from dataclasses import dataclass

from channels.phone.carriers import Carriers
from channels.phone.flow import Flow
from session.audio import Secrecy
from session.ports import Binding


@dataclass(frozen=True, slots=True)
class Secrecies:
    """`telephones` is that of whoever is neither a carrier nor a page."""

    telephones: Secrecy
    carriers: Carriers

    def offering(self, flow: Flow) -> Secrecy:
        """A page takes nothing but DTLS."""
        return self.answering(flow) if flow.can_be_made else Secrecy.PAGE

    def answering(self, flow: Flow) -> Secrecy:
        """A carrier does as its settings say. What a page can do, its offer says."""
        carrier = self.carriers.of(flow.origin)
        return self.telephones if carrier is None else carrier.settings.srtp

    def chosen(self, bindings: tuple[Binding, ...]) -> tuple[tuple[Binding, ...], Secrecy]:
        """Which of somebody's telephones ring: the pages, if there are any, for one description cannot serve both.

        Whoever lets a page register has chosen it; a desk telephone stays registered whether it is wanted or not.
        """
        pages = tuple(each for each in bindings if not Flow.parse(each.flow).can_be_made)
        return (pages, Secrecy.PAGE) if pages else (bindings, self.telephones)
