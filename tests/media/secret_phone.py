"""Telephones that keep secrets: one with keys in its description, one that is a page (ICE, DTLS)."""

from __future__ import annotations

import asyncio
import base64
import datetime as dt
import re
import secrets
import time
from typing import Any

from aioice import stun
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from OpenSSL import SSL
from pylibsrtp import Error, Policy, Session

from media.g711 import Law
from tests.media.phone import Phone

SUITES = {
    "AES_CM_128_HMAC_SHA1_80": Policy.SRTP_PROFILE_AES128_CM_SHA1_80,
    "AES_CM_128_HMAC_SHA1_32": Policy.SRTP_PROFILE_AES128_CM_SHA1_32,
}


class KeyedPhone(Phone):
    """SDES (RFC 4568). What it hears that is not under the key that was agreed is counted in `strangers`."""

    def __init__(self, suite: str = "AES_CM_128_HMAC_SHA1_80", law: Law = Law.PCMA) -> None:
        super().__init__(law)
        self.suite = suite
        self.key = secrets.token_bytes(30)
        self.wire: list[bytes] = []
        self.strangers = 0
        self.sealing: Session | None = None
        self.opening: Session | None = None

    @property
    def crypto(self) -> str:
        return f"a=crypto:7 {self.suite} inline:{base64.b64encode(self.key).decode()}|2^31"

    def keyed_sdp(self, protocol: str = "RTP/SAVP") -> bytes:
        return self.sdp(self.crypto).replace(b"RTP/AVP", protocol.encode())

    def take(self, sdp: bytes) -> None:
        found = re.search(rb"m=audio (\d+) ", sdp)
        assert found is not None
        self.target = (self.host, int(found[1]))
        line = re.search(rb"a=crypto:\d+ " + self.suite.encode() + rb" inline:(\S+)", sdp)
        if line is not None:
            self.keyed(SUITES[self.suite], self.key, base64.b64decode(line[1]))

    def keyed(self, profile: int, ours: bytes, theirs: bytes) -> None:
        self.sealing = Session(Policy(ours, Policy.SSRC_ANY_OUTBOUND, srtp_profile=profile))
        self.opening = Session(Policy(theirs, Policy.SSRC_ANY_INBOUND, srtp_profile=profile))

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self.wire.append(data)
        if self.opening is None or self.sealing is None:
            super().datagram_received(data, addr)
            return
        if 192 <= data[1] <= 223:
            self.opening.unprotect_rtcp(data)
            return
        try:
            super().datagram_received(self.opening.unprotect(data), addr)
        except Error:
            self.strangers += 1

    def raw(self, data: bytes) -> None:
        assert self.sealing is not None
        super().raw(self.sealing.protect(data))

    def send(self, payload: bytes, payload_type: int | None = None, *, marker: bool = False) -> None:
        transport = self.transport
        sealing = self.sealing
        assert sealing is not None
        seal = sealing.protect

        class Sealing:
            def sendto(self, data: bytes, target: Any) -> None:
                transport.sendto(seal(data), target)

        self.transport = Sealing()
        try:
            super().send(payload, payload_type, marker=marker)
        finally:
            self.transport = transport


class PagePhone(KeyedPhone):
    """A browser's end: it checks the one candidate that it is given, nominates it, and shakes hands as the client."""

    def __init__(self) -> None:
        super().__init__()
        self.ufrag, self.password = secrets.token_hex(3), secrets.token_hex(12)
        self.connected = asyncio.Event()
        self.checked = 0
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "page")])
        now = dt.datetime.now(tz=dt.UTC)
        builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        builder = builder.not_valid_before(now - dt.timedelta(hours=1))
        self.certificate = builder.not_valid_after(now + dt.timedelta(hours=1)).sign(key, hashes.SHA256())
        context = SSL.Context(SSL.DTLS_CLIENT_METHOD)
        context.use_certificate(self.certificate)
        context.use_privatekey(key)
        context.set_tlsext_use_srtp(b"SRTP_AEAD_AES_128_GCM:SRTP_AES128_CM_SHA1_80")
        self.tls = SSL.Connection(context, None)
        self.tls.set_connect_state()
        self.gateway: dict[str, str] = {}
        self.shown: str | None = None
        self._task: asyncio.Task[None] | None = None

    async def __aexit__(self, *_: object) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await super().__aexit__()

    def page_sdp(self, setup: str) -> bytes:
        digest = self.shown or self.certificate.fingerprint(hashes.SHA256()).hex(":").upper()
        attributes = (
            "a=mid:audio0",
            "a=rtcp-mux",
            f"a=ice-ufrag:{self.ufrag}",
            f"a=ice-pwd:{self.password}",
            f"a=fingerprint:sha-256 {digest}",
            f"a=setup:{setup}",
        )
        return self.sdp(*attributes, port=9, address="0.0.0.0").replace(b"RTP/AVP", b"UDP/TLS/RTP/SAVPF")

    def take(self, sdp: bytes) -> None:
        super().take(sdp)
        for line in sdp.decode().splitlines():
            name, _, value = line.removeprefix("a=").partition(":")
            self.gateway[name] = value
        self._task = self._task or asyncio.create_task(self._connect())

    def check(self, *, ufrag: str | None = None, password: str | None = None) -> None:
        message = stun.Message(stun.Method.BINDING, stun.Class.REQUEST)
        message.attributes["USERNAME"] = f"{ufrag or self.gateway['ice-ufrag']}:{self.ufrag}"
        message.attributes["PRIORITY"] = 1
        message.attributes["ICE-CONTROLLING"] = 1
        message.attributes["USE-CANDIDATE"] = None
        message.add_message_integrity((password or self.gateway["ice-pwd"]).encode())
        self.transport.sendto(bytes(message), self.target)

    async def _connect(self) -> None:
        while not self.checked:
            self.check()
            await asyncio.sleep(0.05)
        while not self.connected.is_set():
            self._shake()
            await asyncio.sleep(0.2)

    def _shake(self) -> None:
        try:
            self.tls.do_handshake()
        except SSL.WantReadError:
            self._flush()
            return
        self._flush()
        if not self.connected.is_set():
            made = self.tls.export_keying_material(b"EXTRACTOR-dtls_srtp", 56)
            profile = self.tls.get_selected_srtp_profile()
            assert profile == b"SRTP_AEAD_AES_128_GCM"
            shown = self.tls.get_peer_certificate(as_cryptography=True)
            assert shown is not None
            assert self.gateway["fingerprint"] == f"sha-256 {shown.fingerprint(hashes.SHA256()).hex(':').upper()}"
            self.keyed(Policy.SRTP_PROFILE_AEAD_AES_128_GCM, made[:16] + made[32:44], made[16:32] + made[44:56])
            self.connected.set()

    def _flush(self) -> None:
        while True:
            try:
                self.transport.sendto(self.tls.bio_read(1500), self.target)
            except SSL.WantReadError:
                return

    def datagram_received(self, data: bytes, addr: Any) -> None:
        if data[0] <= 3:
            message = stun.parse_message(data)
            assert message.check_message_integrity(self.gateway["ice-pwd"].encode())
            assert message.attributes["XOR-MAPPED-ADDRESS"] == (self.host, self.port)
            self.checked += 1
        elif 20 <= data[0] <= 63:
            self.tls.bio_write(data)
            if not self.connected.is_set():
                self._shake()
        else:
            super().datagram_received(data, addr)


def forged_check(username: str) -> bytes:
    """A check of somebody who does not know the password."""
    message = stun.Message(stun.Method.BINDING, stun.Class.REQUEST)
    message.attributes["USERNAME"] = username
    message.add_message_integrity(str(time.time()).encode())
    return bytes(message)
