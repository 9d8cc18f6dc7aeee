"""The ACKs to an INVITE of ours that was accepted, by one device or by several behind a fork."""

from __future__ import annotations

from typing import TYPE_CHECKING

from channels.phone.call import ignore, ignore_failure, way_within
from channels.phone.sip.dialog import Dialog
from channels.phone.sip.message import Request, Response
from channels.phone.sip.reading import reread

if TYPE_CHECKING:
    from channels.phone.endpoint import Endpoint
    from channels.phone.flow import Flow


class Acknowledgements:
    """Each is sent again when its 2xx comes again (RFC 3261, section 13.2.2.4), for half a minute behind the call too.

    So it is of bytes: whatever else a call is made of is gone with it.
    """

    __slots__ = ("_endpoint", "_flow", "_invite", "_number", "_sent")

    def __init__(self, endpoint: Endpoint, flow: Flow, invite: Request) -> None:
        self._endpoint = endpoint
        self._flow = flow
        self._invite = invite.wire
        self._number = invite.cseq[0]
        self._sent: dict[str, tuple[bytes, Flow]] = {}
        """By the tag of who accepted."""

    def repeat(self, response: Response) -> bool:
        """Whether this 2xx has been acknowledged before, as it is now again."""
        sent = self._sent.get(response.to_address.tag or "")
        if sent is not None:
            self._endpoint.retransmit(*sent)
        return sent is not None

    def send(self, dialog: Dialog) -> None:
        """Acknowledge the 2xx that has made this dialog."""
        flow = way_within(dialog, self._flow)
        ack = dialog.request("ACK", via=self._endpoint.via(flow), sequence=self._number)
        self._sent[dialog.remote.tag or ""] = (ack.wire, flow)
        self._endpoint.transmit(ack, flow)

    def take_and_end(self, dialog: Dialog) -> None:
        """Of a second device behind a fork, or of a call that was given up meanwhile: taken, and ended at once."""
        self.send(dialog)
        flow = way_within(dialog, self._flow)
        bye = dialog.next_sequence().request("BYE", via=self._endpoint.via(flow))
        self._endpoint.ask(bye, flow, ignore, ignore_failure)

    def heard_late(self, response: Response) -> None:
        """A response that comes behind the call's end."""
        if not 200 <= response.status < 300 or self.repeat(response):
            return
        invite = reread(self._invite)
        if isinstance(invite, Request):
            self.take_and_end(Dialog.created(invite, response))
