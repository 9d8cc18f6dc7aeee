"""The messages of CMPP 2.0 and 3.0 that pass between us and a gateway, to octets and back. Pure.

Section numbers are those of CMPP 2.0 (QB-001-2002); 3.0 (2003) keeps them and widens some fields: numbers of telephones
from 21 octets to 32, results from 1 to 4, and adds types of terminals and a LinkID.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

from channels.sms.errors import Malformed
from channels.sms.wire import Reader, number, text

V20, V30 = 0x20, 0x30
HEADER_OCTETS = 12
LARGEST_OCTETS = 4096
"""More than any message has; what claims more is no CMPP."""
_RESPONSE = 0x80000000


@dataclass(frozen=True, slots=True)
class Connect:
    """CMPP_CONNECT (7.4.1.1): who we are."""

    source: str
    authenticator: bytes
    version: int
    timestamp: int
    """MMDDHHMMSS as a number."""


@dataclass(frozen=True, slots=True)
class ConnectResponse:
    """CMPP_CONNECT_RESP (7.4.1.2)."""

    status: int
    authenticator: bytes
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Submit:
    """CMPP_SUBMIT (7.4.3.1): one segment to one telephone."""

    destination: str
    content: bytes
    source_id: str
    """What the telephone shows as the sender (服务代码)."""
    account: str
    """Msg_src: our SP_Id."""
    format: int
    total: int = 1
    index: int = 1
    has_header: bool = False
    """The content begins with a user data header (TP_udhi)."""
    wants_report: bool = True
    level: int = 0
    service: str = ""
    fee_user: int = 0
    fee_terminal: str = ""
    fee_type: str = "01"
    fee_code: str = "0"
    valid_until: str = ""
    at: str = ""
    link: str = ""


@dataclass(frozen=True, slots=True)
class SubmitResponse:
    """CMPP_SUBMIT_RESP (7.4.3.2)."""

    message: int
    result: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Deliver:
    """CMPP_DELIVER (7.4.5.1): a citizen's text, or, with `is_report`, what became of one of ours."""

    message: int
    destination: str
    source: str
    format: int
    content: bytes
    is_report: bool = False
    has_header: bool = False
    service: str = ""
    link: str = ""


@dataclass(frozen=True, slots=True)
class DeliverResponse:
    """CMPP_DELIVER_RESP (7.4.5.2)."""

    message: int
    result: int


@dataclass(frozen=True, slots=True)
class ActiveTest:
    """CMPP_ACTIVE_TEST (7.4.8.1): are you there?"""


@dataclass(frozen=True, slots=True)
class ActiveTestResponse:
    """CMPP_ACTIVE_TEST_RESP (7.4.8.2)."""


@dataclass(frozen=True, slots=True)
class Terminate:
    """CMPP_TERMINATE (7.4.2.1)."""


@dataclass(frozen=True, slots=True)
class TerminateResponse:
    """CMPP_TERMINATE_RESP (7.4.2.2)."""


@dataclass(frozen=True, slots=True)
class Unknown:
    """A command that nobody here speaks; passed over."""

    command: int


Message = (
    Connect
    | ConnectResponse
    | Submit
    | SubmitResponse
    | Deliver
    | DeliverResponse
    | ActiveTest
    | ActiveTestResponse
    | Terminate
    | TerminateResponse
    | Unknown
)

_COMMANDS: dict[type[Message], int] = {
    Connect: 1,
    ConnectResponse: _RESPONSE | 1,
    Terminate: 2,
    TerminateResponse: _RESPONSE | 2,
    Submit: 4,
    SubmitResponse: _RESPONSE | 4,
    Deliver: 5,
    DeliverResponse: _RESPONSE | 5,
    ActiveTest: 8,
    ActiveTestResponse: _RESPONSE | 8,
}


@dataclass(frozen=True, slots=True)
class StatusReport:
    """The content of a report (7.4.5.1, table 2)."""

    message: int
    """Msg_Id of the `SubmitResponse`."""
    status: str
    """DELIVRD, EXPIRED, DELETED, UNDELIV, ACCEPTD, UNKNOWN, REJECTD, or a carrier's own word of seven letters."""
    destination: str

    @classmethod
    def read(cls, content: bytes) -> StatusReport:
        """From 60 octets (2.0) or 71 (3.0); gateways mix the two, so the length decides. Raises `Malformed`."""
        if len(content) not in (60, 71):
            raise Malformed("a status report of a strange length")
        reader = Reader(content)
        message, status = reader.number(8), reader.text(7)
        reader.raw(20)  # when it was submitted and when it was done, to the minute
        return cls(message, status, reader.text(len(content) - 39))


def authenticator_of_source(source: str, secret: str, timestamp: int) -> bytes:
    """MD5 of account, nine NULs, secret and timestamp (7.4.1.1). The protocol knows nothing better."""
    plain = source.encode() + bytes(9) + secret.encode() + f"{timestamp:010d}".encode()
    return hashlib.md5(plain, usedforsecurity=False).digest()


def authenticator_of_gateway(status: int, source: bytes, secret: str, version: int) -> bytes:
    """MD5 of status, our own authenticator and the secret (7.4.1.2): the gateway's proof."""
    plain = number(status, _result_size(version)) + source + secret.encode()
    return hashlib.md5(plain, usedforsecurity=False).digest()


def encode(message: Message, sequence: int, version: int) -> bytes:
    """One frame. Raises `Malformed` for what its fields cannot hold."""
    body = _body(message, version)
    command = message.command if isinstance(message, Unknown) else _COMMANDS[type(message)]
    return number(HEADER_OCTETS + len(body), 4) + number(command, 4) + number(sequence, 4) + body


def decode(frame: bytes, version: int) -> tuple[int, Message]:
    """The sequence and the message of one whole frame. Raises `Malformed`."""
    reader = Reader(frame)
    if reader.number(4) != len(frame):
        raise Malformed("a frame of another length than it says")
    command, sequence = reader.number(4), reader.number(4)
    read = _READERS.get(command)
    return sequence, read(reader, version) if read is not None else Unknown(command)


def _result_size(version: int) -> int:
    return 4 if version >= V30 else 1


def _number_size(version: int) -> int:
    return 32 if version >= V30 else 21


def _body(message: Message, version: int) -> bytes:
    match message:
        case Connect() | ConnectResponse():
            return _login(message, version)
        case Submit():
            return _submit(message, version)
        case SubmitResponse() | DeliverResponse():
            return number(message.message, 8) + number(message.result, _result_size(version))
        case Deliver():
            return _deliver(message, version)
        case ActiveTestResponse():
            return bytes(1)
        case _:
            return b""


def _login(message: Connect | ConnectResponse, version: int) -> bytes:
    if isinstance(message, ConnectResponse):
        return number(message.status, _result_size(version)) + message.authenticator + number(message.version, 1)
    return text(message.source, 6) + message.authenticator + number(message.version, 1) + number(message.timestamp, 4)


def _submit(message: Submit, version: int) -> bytes:
    wide = version >= V30
    size = _number_size(version)
    return b"".join(
        [
            bytes(8),
            number(message.total, 1),
            number(message.index, 1),
            number(message.wants_report, 1),
            number(message.level, 1),
            text(message.service, 10),
            number(message.fee_user, 1),
            text(message.fee_terminal, size),
            bytes(1) if wide else b"",
            bytes(1),
            number(message.has_header, 1),
            number(message.format, 1),
            text(message.account, 6),
            text(message.fee_type, 2),
            text(message.fee_code, 6),
            text(message.valid_until, 17),
            text(message.at, 17),
            text(message.source_id, 21),
            number(1, 1),
            text(message.destination, size),
            bytes(1) if wide else b"",
            number(len(message.content), 1),
            message.content,
            text(message.link, 20 if wide else 8),
        ]
    )


def _deliver(message: Deliver, version: int) -> bytes:
    wide = version >= V30
    return b"".join(
        [
            number(message.message, 8),
            text(message.destination, 21),
            text(message.service, 10),
            bytes(1),
            number(message.has_header, 1),
            number(message.format, 1),
            text(message.source, _number_size(version)),
            bytes(1) if wide else b"",
            number(message.is_report, 1),
            number(len(message.content), 1),
            message.content,
            text(message.link, 20 if wide else 8),
        ]
    )


def _read_submit(reader: Reader, version: int) -> Submit:
    """As a gateway reads it: for our stand-in, and to show that what is written is what was meant."""
    wide, size = version >= V30, _number_size(version)
    reader.raw(8)
    total, index, wants_report, level = reader.number(1), reader.number(1), reader.number(1), reader.number(1)
    service, fee_user, fee_terminal = reader.text(10), reader.number(1), reader.text(size)
    reader.raw(2 if wide else 1)
    has_header, form = reader.number(1), reader.number(1)
    account, fee_type, fee_code = reader.text(6), reader.text(2), reader.text(6)
    valid_until, at, source_id = reader.text(17), reader.text(17), reader.text(21)
    if reader.number(1) != 1:
        raise Malformed("a submit to other than one telephone")
    destination = reader.text(size)
    reader.raw(1 if wide else 0)
    content = reader.raw(reader.number(1))
    return Submit(
        destination=destination,
        content=content,
        source_id=source_id,
        account=account,
        format=form,
        total=total,
        index=index,
        has_header=bool(has_header),
        wants_report=bool(wants_report),
        level=level,
        service=service,
        fee_user=fee_user,
        fee_terminal=fee_terminal,
        fee_type=fee_type,
        fee_code=fee_code,
        valid_until=valid_until,
        at=at,
        link=reader.text(20 if wide else 8),
    )


def _read_deliver(reader: Reader, version: int) -> Deliver:
    wide = version >= V30
    message, destination, service = reader.number(8), reader.text(21), reader.text(10)
    reader.raw(1)
    has_header, form, source = reader.number(1), reader.number(1), reader.text(_number_size(version))
    reader.raw(1 if wide else 0)
    is_report = reader.number(1)
    content = reader.raw(reader.number(1))
    return Deliver(
        message=message,
        destination=destination,
        source=source,
        format=form,
        content=content,
        is_report=is_report == 1,
        has_header=bool(has_header),
        service=service,
        link=reader.text(20 if wide else 8),
    )


_READERS: dict[int, Callable[[Reader, int], Message]] = {
    1: lambda reader, _: Connect(reader.text(6), reader.raw(16), reader.number(1), reader.number(4)),
    2: lambda *_: Terminate(),
    4: _read_submit,
    5: _read_deliver,
    8: lambda *_: ActiveTest(),
    _RESPONSE | 1: lambda reader, version: ConnectResponse(
        reader.number(_result_size(version)), reader.raw(16), reader.number(1)
    ),
    _RESPONSE | 2: lambda *_: TerminateResponse(),
    _RESPONSE | 4: lambda reader, version: SubmitResponse(reader.number(8), reader.number(_result_size(version))),
    _RESPONSE | 5: lambda reader, version: DeliverResponse(reader.number(8), reader.number(_result_size(version))),
    _RESPONSE | 8: lambda *_: ActiveTestResponse(),
}
