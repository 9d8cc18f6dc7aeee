"""The messages of SMPP 3.4 that pass between us and a message centre, to octets and back. Pure.

Sections are those of "Short Message Peer to Peer Protocol Specification v3.4", issue 1.2. Strict where libraries are
not: a frame that was cut is malformed, never a shorter text.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from channels.sms.errors import Malformed
from channels.sms.wire import Reader, ended_text, number

HEADER_OCTETS = 16
LARGEST_OCTETS = 70_000
"""More than a message with a whole payload has (5.3.2.32: 64 K)."""
RESPONSE = 0x80000000
_VERSION = 0x34
_BIND, _SUBMIT, _DELIVER, _UNBIND, _ENQUIRE, _NACK = 0x09, 0x04, 0x05, 0x06, 0x15, RESPONSE

HAS_HEADER = 0x40
"""Of esm_class (5.2.12): the message begins with a user data header."""
KIND = 0x3C
RECEIPT = 0x04
NOTIFICATION = 0x20


@dataclass(frozen=True, slots=True)
class Bind:
    """bind_transceiver (4.1.5)."""

    system: str
    password: str = field(repr=False)
    kind: str = ""


@dataclass(frozen=True, slots=True)
class BindResponse:
    """bind_transceiver_resp (4.1.6)."""

    status: int
    system: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShortMessage:
    """What submit_sm (4.4.1) and deliver_sm (4.6.1) have in common."""

    source: str
    destination: str
    octets: bytes
    coding: int
    esm_class: int = 0
    source_ton: int = 0
    source_npi: int = 0
    destination_ton: int = 0
    destination_npi: int = 0
    service: str = ""
    protocol: int = 0
    priority: int = 0
    scheduled: str = ""
    validity: str = ""
    wants_receipt: int = 0
    replaces: int = 0
    predefined: int = 0
    options: Mapping[int, bytes] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Submit(ShortMessage):
    """submit_sm."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deliver(ShortMessage):
    """deliver_sm: a citizen's text, or a receipt."""


@dataclass(frozen=True, slots=True)
class SubmitResponse:
    """submit_sm_resp (4.4.2)."""

    status: int
    message: str = ""


@dataclass(frozen=True, slots=True)
class DeliverResponse:
    """deliver_sm_resp (4.6.2)."""

    status: int


@dataclass(frozen=True, slots=True)
class EnquireLink:
    """enquire_link (4.11)."""


@dataclass(frozen=True, slots=True)
class EnquireLinkResponse:
    """enquire_link_resp."""


@dataclass(frozen=True, slots=True)
class Unbind:
    """unbind (4.2)."""


@dataclass(frozen=True, slots=True)
class UnbindResponse:
    """unbind_resp."""


@dataclass(frozen=True, slots=True)
class Nack:
    """generic_nack (4.3)."""

    status: int


@dataclass(frozen=True, slots=True)
class Unknown:
    """A command that nobody here speaks."""

    command: int


Message = (
    Bind
    | BindResponse
    | Submit
    | SubmitResponse
    | Deliver
    | DeliverResponse
    | EnquireLink
    | EnquireLinkResponse
    | Unbind
    | UnbindResponse
    | Nack
    | Unknown
)

_COMMANDS: dict[type[Message], int] = {
    Bind: _BIND,
    BindResponse: RESPONSE | _BIND,
    Submit: _SUBMIT,
    SubmitResponse: RESPONSE | _SUBMIT,
    Deliver: _DELIVER,
    DeliverResponse: RESPONSE | _DELIVER,
    EnquireLink: _ENQUIRE,
    EnquireLinkResponse: RESPONSE | _ENQUIRE,
    Unbind: _UNBIND,
    UnbindResponse: RESPONSE | _UNBIND,
    Nack: _NACK,
}


def encode(message: Message, sequence: int) -> bytes:
    """One frame. Raises `Malformed` for what its fields cannot hold."""
    body = _body(message)
    command = message.command if isinstance(message, Unknown) else _COMMANDS[type(message)]
    status = message.status if isinstance(message, BindResponse | SubmitResponse | DeliverResponse | Nack) else 0
    return b"".join(number(one, 4) for one in (HEADER_OCTETS + len(body), command, status, sequence)) + body


def decode(frame: bytes) -> tuple[int, Message]:
    """The sequence and the message of one whole frame. Raises `Malformed`."""
    reader = Reader(frame)
    if reader.number(4) != len(frame):
        raise Malformed("a frame of another length than it says")
    command, status, sequence = reader.number(4), reader.number(4), reader.number(4)
    read = _READERS.get(command)
    return sequence, read(reader, status) if read is not None else Unknown(command)


def _body(message: Message) -> bytes:
    match message:
        case Bind():
            texts = ended_text(message.system, 16) + ended_text(message.password, 9) + ended_text(message.kind, 13)
            return texts + number(_VERSION, 1) + bytes(2) + ended_text("", 41)
        case BindResponse():
            return ended_text(message.system, 16)
        case Submit() | Deliver():
            return _short_message(message)
        case SubmitResponse():
            return ended_text(message.message, 65) if message.status == 0 else b""
        case DeliverResponse():
            return ended_text("", 65)
        case _:
            return b""


def _short_message(message: ShortMessage) -> bytes:
    return b"".join(
        [
            ended_text(message.service, 6),
            number(message.source_ton, 1),
            number(message.source_npi, 1),
            ended_text(message.source, 21),
            number(message.destination_ton, 1),
            number(message.destination_npi, 1),
            ended_text(message.destination, 21),
            number(message.esm_class, 1),
            number(message.protocol, 1),
            number(message.priority, 1),
            ended_text(message.scheduled, 17),
            ended_text(message.validity, 17),
            number(message.wants_receipt, 1),
            number(message.replaces, 1),
            number(message.coding, 1),
            number(message.predefined, 1),
            number(len(message.octets), 1),
            message.octets,
            *(number(tag, 2) + number(len(value), 2) + value for tag, value in message.options.items()),
        ]
    )


def _read_bind(reader: Reader, _: int) -> Bind:
    """As a message centre reads it."""
    return Bind(reader.ended_text(16), reader.ended_text(9), reader.ended_text(13))


def _read_bind_response(reader: Reader, status: int) -> BindResponse:
    """A refusal may come without a body."""
    return BindResponse(status, "" if reader.is_at_end else reader.ended_text(16))


def _read_submit_response(reader: Reader, status: int) -> SubmitResponse:
    """With another status than 0 there is no body (4.4.2); some send one all the same."""
    return SubmitResponse(status, "" if reader.is_at_end else reader.ended_text(65))


def _fields(reader: Reader) -> dict[str, object]:
    service = reader.ended_text(6)
    source_ton, source_npi, source = reader.number(1), reader.number(1), reader.ended_text(21)
    destination_ton, destination_npi, destination = reader.number(1), reader.number(1), reader.ended_text(21)
    esm_class, protocol, priority = reader.number(1), reader.number(1), reader.number(1)
    scheduled, validity = reader.ended_text(17), reader.ended_text(17)
    wants_receipt, replaces, coding, predefined = (reader.number(1) for _ in range(4))
    octets = reader.raw(reader.number(1))
    options: dict[int, bytes] = {}
    while not reader.is_at_end:
        tag = reader.number(2)
        options[tag] = reader.raw(reader.number(2))
    return {
        "service": service,
        "source_ton": source_ton,
        "source_npi": source_npi,
        "source": source,
        "destination_ton": destination_ton,
        "destination_npi": destination_npi,
        "destination": destination,
        "esm_class": esm_class,
        "protocol": protocol,
        "priority": priority,
        "scheduled": scheduled,
        "validity": validity,
        "wants_receipt": wants_receipt,
        "replaces": replaces,
        "coding": coding,
        "predefined": predefined,
        "octets": octets,
        "options": options,
    }


_READERS: dict[int, Callable[[Reader, int], Message]] = {
    _BIND: _read_bind,
    RESPONSE | _BIND: _read_bind_response,
    _SUBMIT: lambda reader, _: Submit(**_fields(reader)),  # type: ignore[arg-type] # the names are those of the class
    RESPONSE | _SUBMIT: _read_submit_response,
    _DELIVER: lambda reader, _: Deliver(**_fields(reader)),  # type: ignore[arg-type] # the names are those of the class
    RESPONSE | _DELIVER: lambda _, status: DeliverResponse(status),
    _ENQUIRE: lambda *_: EnquireLink(),
    RESPONSE | _ENQUIRE: lambda *_: EnquireLinkResponse(),
    _UNBIND: lambda *_: Unbind(),
    RESPONSE | _UNBIND: lambda *_: UnbindResponse(),
    _NACK: lambda _, status: Nack(status),
}
