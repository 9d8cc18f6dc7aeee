"""One offer on an agent's telephones: INVITE to every binding, until one is picked up or none is left."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import partial
from urllib.parse import quote

from channels.phone.call import Answered, Ended
from channels.phone.endpoint import Endpoint
from channels.phone.flow import Flow
from channels.phone.ladder import Ladder
from channels.phone.outgoing import OutgoingCall
from channels.phone.sip.address import NameAddress
from channels.phone.sip.uri import Uri
from channels.phone.tidings import Tidings
from session.ids import AssigneeId, NodeId
from session.ports import Binding

_BY_ITSELF = ("Answer-Mode", "Auto")
"""RFC 5373: for a page that was in this very call. No telephone is asked so that rings for somebody's choice."""
_INSIDE = ("Alert-Info", "<urn:alert:source:internal>")
"""RFC 7462: telephones may ring otherwise for a colleague, and a desk's page knows that no offer comes with it."""
ELSEWHERE = 'SIP;cause=200;text="Call completed elsewhere"'
_BUSY = {486, 600}
_UNREACHABLE = {404, 408, 410, 480, 503}


class NoAnswer(StrEnum):
    """Why nobody picked up, in the words of `OfferDeclined.reason`."""

    BUSY = "busy"
    REJECTED = "rejected"
    UNREACHABLE = "unreachable"


@dataclass(frozen=True, slots=True)
class PickedUp:
    """The device that was picked up and its SDP answer."""

    call: OutgoingCall
    answer: bytes


class Ringing:
    """The devices of one assignee, called for one offer."""

    def __init__(
        self,
        endpoint: Endpoint,
        node: NodeId,
        assignee: AssigneeId,
        token: int,
        ladder: Ladder | None = None,
        *,
        peer: str = "",
        answers_itself: bool = False,
        is_inside: bool = False,
    ) -> None:
        """`peer` is what the ladder calls them; left out, an agent by the offer's token.

        `is_inside`: it is a colleague who has them called.
        """
        self.assignee = assignee
        self.token = token
        self.is_deciding = False
        """Picked up, and the core is being asked: only its verdict ends the ringing now."""
        self._endpoint = endpoint
        self._node = node
        self._ladder = ladder
        self._peer = peer or f"agent {token}"
        self._headers = (*((_BY_ITSELF,) if answers_itself else ()), *((_INSIDE,) if is_inside else ()))
        self._calls: list[OutgoingCall] = []
        self._heard: Tidings[tuple[OutgoingCall, Answered | Ended] | None] = Tidings()

    async def run(self, bindings: Sequence[Binding], caller: NameAddress, offer: bytes) -> PickedUp | NoAnswer | None:
        """Ring all. None when it was stopped. Other devices than the one picked up are silent afterwards."""
        if not bindings:
            return NoAnswer.UNREACHABLE
        try:
            for number, binding in enumerate(bindings, 1):
                call = self._endpoint.call(
                    way_to(binding, self._node),
                    Uri.parse(binding.contact),
                    caller=caller,
                    callee=self._called(binding),
                    body=offer,
                    extra=(*(("Route", proxy) for proxy in binding.path), *self._headers),
                    ladder=self._ladder,
                    peer=self._peer if len(bindings) == 1 else f"{self._peer}.{number}",
                )
                self._calls.append(call)
                call.when_decided(partial(self._heard_of, call))
            return await self._decide()
        finally:
            picked = next((call for call in self._calls if call.is_answered and not call.is_over), None)
            for call in self._calls:
                if call is not picked or not self.is_deciding:
                    call.hang_up(ELSEWHERE if self.is_deciding else None)

    def _called(self, binding: Binding) -> NameAddress:
        """To: whom it is for, by their extension; a proxy before us knows by it whose call stands (0151).

        What the telephone calls itself there is its Contact, and stands in the request's URI.
        """
        host, port = self._endpoint.bound
        return NameAddress(Uri("sip", host, quote(binding.aor, safe="+", errors="surrogateescape"), port=port))

    def stop(self) -> None:
        """The offer is over without this assignee; idempotent."""
        if not self.is_deciding:
            self._heard.put(None)

    async def _decide(self) -> PickedUp | NoAnswer | None:
        statuses: list[int] = []
        while (heard := await self._heard.get()) is not None:
            call, event = heard
            if isinstance(event, Answered):
                self.is_deciding = True
                return PickedUp(call, event.body)
            statuses.append(event.status)
            if event.status >= 600 or len(statuses) == len(self._calls):
                return no_answer(statuses)
        return None

    def _heard_of(self, call: OutgoingCall, event: Answered | Ended) -> None:
        self._heard.put((call, event))


def way_to(binding: Binding, node: NodeId) -> Flow:
    """How this node reaches a telephone: by datagrams itself, by a connection through the node at which it ends."""
    flow = Flow.parse(binding.flow)
    return flow if binding.node == node or not flow.is_reliable else replace(flow, node=binding.node)


def no_answer(statuses: list[int]) -> NoAnswer:
    """The refusal that says most about the agent: a busy or refusing device was at least reached."""
    if any(status in _BUSY for status in statuses):
        return NoAnswer.BUSY
    if all(status in _UNREACHABLE for status in statuses):
        return NoAnswer.UNREACHABLE
    return NoAnswer.REJECTED
