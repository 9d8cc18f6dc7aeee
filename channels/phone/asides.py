"""The calls that agents' telephones make beside their citizens', and how one is brought to the other (咨询转接).

A telephone that transfers with consultation by itself holds the citizen, calls somebody, and then asks for those two
to be joined: a REFER in either call whose Replaces names the other (RFC 3515, 3891). Both calls end here, so that
nothing is sent on: whom it called comes to the citizen's call, in its agent's place.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from channels.phone.call import Call
from channels.phone.sip.dialog import DialogId

if TYPE_CHECKING:
    from channels.phone.bridge import Bridge
    from channels.phone.side_call import SideCall


class Asides:
    """Of one node."""

    def __init__(self, calls: Mapping[DialogId, Call], bridge_of: Callable[[Call], Bridge | None]) -> None:
        """`calls` are all that run; `bridge_of` gives the citizen's call whose agent is at the end of one."""
        self._calls, self._bridge_of = calls, bridge_of
        self._running: dict[Call, SideCall] = {}

    def began(self, side: SideCall, call: Call) -> None:
        """An agent's telephone makes it by this call."""
        self._running[call] = side

    def ended(self, call: Call) -> None:
        """It is over, or has come to a citizen's."""
        self._running.pop(call, None)

    def side_of(self, dialog: DialogId) -> SideCall | None:
        """The call beside a citizen's that an agent's telephone has by this dialog."""
        call = self._calls.get(dialog)
        return self._running.get(call) if call is not None else None

    def bridge_of(self, dialog: DialogId) -> Bridge | None:
        """The citizen's call that an agent's telephone is on by this dialog."""
        call = self._calls.get(dialog)
        return self._bridge_of(call) if call is not None else None
