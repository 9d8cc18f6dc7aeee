"""DTLS (RFC 6347) as its server, from which the keys for SRTP are taken (RFC 5764). OpenSSL does it, in memory.

Certificates are our own: each side's description says the fingerprint of what it will show (RFC 8122), and that is
what is trusted.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import secrets
from collections.abc import Callable
from contextlib import suppress

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from OpenSSL import SSL

from media.srtp import GCM, SHA1_80, Srtp

MAX_DATAGRAM_BYTES = 4096
_MTU_BYTES = 1200
_PROFILES = {profile.dtls: profile for profile in (GCM, SHA1_80)}
_LABEL = b"EXTRACTOR-dtls_srtp"
_HASHES = {"sha-256": hashes.SHA256(), "sha-384": hashes.SHA384(), "sha-512": hashes.SHA512()}
_READ_BYTES = 1500
_GIVES_UP_S = 30.0
_LIFE = dt.timedelta(days=365)


class Certificate:
    """What we show to pages: made at the start, and never kept."""

    def __init__(self) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, secrets.token_hex(8))])
        now = dt.datetime.now(tz=dt.UTC)
        made = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(days=1))
            .not_valid_after(now + _LIFE)
            .sign(key, hashes.SHA256())
        )
        self.fingerprint = fingerprint(made, "sha-256")
        self.context = SSL.Context(SSL.DTLS_SERVER_METHOD)
        # Shown by the fingerprint, not by whoever signed it, nor by when.
        self.context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, lambda *_: True)
        self.context.use_certificate(made)
        self.context.use_privatekey(key)
        self.context.set_cipher_list(b"ECDHE+AESGCM:ECDHE+CHACHA20")
        self.context.set_tlsext_use_srtp(b":".join(_PROFILES))


def fingerprint(certificate: x509.Certificate, kind: str) -> str:
    """As `Page.fingerprint` has it."""
    return f"{kind} {certificate.fingerprint(_HASHES[kind]).hex(':')}"


class Handshakes:
    """How many run at once in this process: each costs about a millisecond of a core. More are asked to try again."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._running = 0

    def begin(self) -> bool:
        """Whether there is room."""
        if self._running >= self._limit:
            return False
        self._running += 1
        return True

    def end(self) -> None:
        """One is over."""
        self._running -= 1


class Handshake:
    """One far end's. `done` is called once, with the keys."""

    def __init__(
        self,
        certificate: Certificate,
        far_fingerprint: str,
        room: Handshakes,
        send: Callable[[bytes], None],
        done: Callable[[Srtp], None],
    ) -> None:
        self.far_fingerprint = far_fingerprint
        self._room = room
        self._send = send
        self._done = done
        self._wire = SSL.Connection(certificate.context, None)
        self._wire.set_ciphertext_mtu(_MTU_BYTES)
        self._wire.set_accept_state()
        self._timer: asyncio.TimerHandle | None = None
        self._begun_s: float | None = None
        self._is_over = False

    def take(self, data: bytes) -> None:
        """A datagram of the far end's."""
        if len(data) > MAX_DATAGRAM_BYTES or (self._begun_s is None and not self._begin()):
            return
        self._wire.bio_write(data)
        if self._is_over:
            # A finish that is repeated is answered by OpenSSL itself; what a page says besides is nothing to us.
            with suppress(SSL.Error):
                self._wire.recv(_READ_BYTES)
            self._flush()
        else:
            self._go_on()

    def close(self) -> None:
        """Give it up. Idempotent."""
        if self._timer is not None:
            self._timer.cancel()
        if self._begun_s is not None and not self._is_over:
            self._room.end()
        self._is_over = True

    def _begin(self) -> bool:
        if self._is_over or not self._room.begin():
            return False
        self._begun_s = asyncio.get_running_loop().time()
        return True

    def _go_on(self) -> None:
        try:
            self._wire.do_handshake()
        except SSL.WantReadError:
            self._flush()
            self._wait()
            return
        except SSL.Error:
            self._flush()
            self.close()
            return
        self._flush()
        keys = self._keys()
        self.close()
        if keys is not None:
            self._done(keys)

    def _flush(self) -> None:
        with suppress(SSL.Error):
            while True:
                self._send(self._wire.bio_read(_READ_BYTES))

    def _wait(self) -> None:
        """Flights that are lost are sent again when OpenSSL says so (RFC 6347, section 4.2.4)."""
        if self._timer is not None:
            self._timer.cancel()
        timeout_s = self._wire.DTLSv1_get_timeout()
        if timeout_s is not None:
            self._timer = asyncio.get_running_loop().call_later(timeout_s, self._repeat)

    def _repeat(self) -> None:
        if self._begun_s is None or asyncio.get_running_loop().time() - self._begun_s > _GIVES_UP_S:
            self.close()
            return
        try:
            self._wire.DTLSv1_handle_timeout()
        except SSL.Error:
            self.close()
            return
        self._flush()
        self._wait()

    def _keys(self) -> Srtp | None:
        """None for a certificate that was not announced, or where no suite is shared."""
        shown = self._wire.get_peer_certificate(as_cryptography=True)
        profile = _PROFILES.get(self._wire.get_selected_srtp_profile())
        if shown is None or profile is None:
            return None
        kind = self.far_fingerprint.partition(" ")[0]
        if not secrets.compare_digest(fingerprint(shown, kind), self.far_fingerprint):
            return None
        # Section 4.2: the client's key, the server's, the client's salt, the server's.
        key, salt = profile.key_bytes, profile.salt_bytes
        made = self._wire.export_keying_material(_LABEL, 2 * (key + salt))
        theirs = made[:key] + made[2 * key : 2 * key + salt]
        ours = made[key : 2 * key] + made[2 * key + salt :]
        return Srtp(profile, ours, theirs)
