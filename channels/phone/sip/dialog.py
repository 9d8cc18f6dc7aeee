"""Dialogs (RFC 3261, section 12): who the two ends are, where requests go, and in which order they count."""

from __future__ import annotations

from typing import NamedTuple

from channels.phone.errors import MalformedMessage
from channels.phone.sip.address import NameAddress
from channels.phone.sip.grammar import param
from channels.phone.sip.message import CSEQ_LIMIT, Headers, Request, Response
from channels.phone.sip.uri import Uri

DialogId = tuple[str, str, str]


class Dialog(NamedTuple):
    """One end's view of a dialog. It changes by `_replace`; sequence numbers are 0 while unknown."""

    call_id: str
    local: NameAddress
    remote: NameAddress
    remote_target: Uri
    route_set: tuple[NameAddress, ...] = ()
    local_seq: int = 0
    remote_seq: int = 0

    @classmethod
    def answered(cls, request: Request, local_tag: str) -> Dialog:
        """The UAS's dialog (section 12.1.1). A From without tag is one of RFC 2543, and stands as the null tag."""
        return cls(
            call_id=request.call_id,
            local=request.to_address.with_tag(local_tag),
            remote=request.from_address,
            remote_target=_target(request.contacts, request.from_address.uri),
            route_set=_routes(request.headers),
            remote_seq=request.cseq[0],
        )

    @classmethod
    def created(cls, request: Request, response: Response) -> Dialog:
        """The UAC's dialog (section 12.1.2), from a response with a To tag; the route set is read in reverse."""
        return cls(
            call_id=request.call_id,
            local=request.from_address,
            remote=response.to_address,
            remote_target=_target(response.contacts, request.uri),
            route_set=_routes(response.headers)[::-1],
            local_seq=request.cseq[0],
        )

    @property
    def id(self) -> DialogId:
        """Call-ID, local tag and remote tag."""
        return (self.call_id, self.local.tag or "", self.remote.tag or "")

    def next_sequence(self) -> Dialog:
        """The dialog with its next own number; numbers of a dialog never wrap."""
        return self._replace(local_seq=min(self.local_seq + 1, CSEQ_LIMIT))

    def received(self, request: Request) -> Dialog | None:
        """The dialog after a request of the other end, None when its number is out of order (section 12.2.2: 500)."""
        number = request.cseq[0]
        if self.remote_seq and number <= self.remote_seq:
            return None
        return self._replace(remote_seq=number)

    def refreshed(self, contacts: tuple[NameAddress, ...]) -> Dialog:
        """The dialog after a target refresh (sections 12.2.1.2 and 12.2.2)."""
        return self._replace(remote_target=_target(contacts, self.remote_target))

    def request(
        self,
        method: str,
        *,
        via: str,
        extra: tuple[tuple[str, str], ...] = (),
        body: bytes = b"",
        sequence: int | None = None,
    ) -> Request:
        """A request within the dialog (section 12.2.1.1), with loose and strict routes."""
        uri, routes = self.remote_target, list(self.route_set)
        if routes and param(routes[0].uri.params, "lr") is None:
            uri = routes[0].uri
            routes = [*routes[1:], NameAddress(self.remote_target)]
        number = self.local_seq if sequence is None else sequence
        headers = [
            ("Via", via),
            ("Max-Forwards", "70"),
            *(("Route", str(route)) for route in routes),
            ("From", str(self.local)),
            ("To", str(self.remote)),
            ("Call-ID", self.call_id),
            ("CSeq", f"{number} {method}"),
            *extra,
        ]
        request = Request(headers=Headers(headers), body=body, method=method, uri=uri)
        return request.knowing(call_id=self.call_id, cseq=(number, method))

    @property
    def next_hop(self) -> Uri:
        """Where the next request is sent: the first route, else the remote target."""
        return self.route_set[0].uri if self.route_set else self.remote_target


def dialog_id(message: Request | Response, *, is_uas: bool) -> DialogId:
    """The dialog that a message belongs to, seen from the end that received it."""
    sender, receiver = message.from_address.tag or "", message.to_address.tag or ""
    return (message.call_id, receiver, sender) if is_uas else (message.call_id, sender, receiver)


def _routes(headers: Headers) -> tuple[NameAddress, ...]:
    return tuple(NameAddress.parse(value, "Record-Route") for value in headers.listed("record-route"))


def _target(contacts: tuple[NameAddress, ...], otherwise: Uri) -> Uri:
    """The remote target; a peer without a Contact is reached at what it called itself.

    A Contact's escaped header fields are dropped: they must never be acted upon (RFC 4475, section 3.3.14).
    """
    for contact in contacts:
        if contact.uri.scheme in {"sip", "sips"}:
            return contact.uri._replace(headers="") if contact.uri.headers else contact.uri
    if otherwise.scheme not in {"sip", "sips", "tel"}:
        raise MalformedMessage("Contact", "no address to reach the other end at")
    return otherwise
