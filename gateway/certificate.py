"""The machine's certificate: one for HTTPS and for SIP over TLS, taken up anew when its file is renewed."""

from __future__ import annotations

import asyncio
import logging
import ssl
from pathlib import Path

from cryptography import x509

from config.settings import Tls
from session.errors import YihaoError

log = logging.getLogger(__name__)

LOOK_S = 60.0


class BadCertificate(YihaoError):
    """A file named in [tls] cannot be used."""

    def __init__(self, key: str, why: str) -> None:
        self.key, self.why = key, why
        super().__init__(f"tls.{key}: {why}")


class Certificate:
    """Both contexts: `serving` for who comes to us (None without a certificate), `verifying` for whom we go to."""

    def __init__(self, settings: Tls) -> None:
        """Raises `BadCertificate`."""
        self._settings = settings
        self.serving: ssl.SSLContext | None = None
        self.verifying: ssl.SSLContext | None = None
        if settings.authorities:
            self.verifying = _authorities(settings.authorities)
        if not settings.certificate and not settings.key:
            return
        if not settings.certificate or not settings.key:
            raise BadCertificate("key" if settings.certificate else "certificate", "is missing beside the other")
        self.serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.serving.minimum_version = ssl.TLSVersion.TLSv1_2
        self._load(self.serving)
        self._seen = self._stamps()

    async def watch(self) -> None:
        """Take up what is renewed, until cancelled. Connections that are there keep what they began with."""
        while self.serving is not None:
            await asyncio.sleep(LOOK_S)
            self.renew(self.serving)
        await asyncio.Event().wait()

    def renew(self, serving: ssl.SSLContext) -> None:
        """Look whether the files have changed. What cannot be used is logged, and the old one serves on."""
        try:
            stamps = self._stamps()
            if stamps == self._seen:
                return
            self._load(serving)
        except (BadCertificate, OSError) as error:
            log.error("a renewed certificate cannot be used: %s", error)  # noqa: TRY400 - its sentence says all
            return
        self._seen = stamps
        log.info("a renewed certificate is in use")

    def _load(self, context: ssl.SSLContext) -> None:
        try:
            context.load_cert_chain(self._settings.certificate, self._settings.key)
        except ssl.SSLError as error:
            raise BadCertificate("certificate", f"does not go with its key: {error.reason}") from error
        except OSError as error:
            raise BadCertificate("certificate", error.strerror or "cannot be read") from error

    def _stamps(self) -> tuple[int, ...]:
        files = (self._settings.certificate, self._settings.key)
        return tuple(Path(file).stat().st_mtime_ns for file in files)


def read_certificate(settings: Tls) -> x509.Certificate:
    """The machine's own, for who wants to know when it ends. Raises `BadCertificate`."""
    try:
        return x509.load_pem_x509_certificate(Path(settings.certificate).read_bytes())
    except OSError as error:
        raise BadCertificate("certificate", error.strerror or "cannot be read") from error
    except ValueError as error:
        raise BadCertificate("certificate", "is no certificate in PEM") from error


def _authorities(file: str) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=file)
    except ssl.SSLError as error:
        raise BadCertificate("authorities", f"holds no certificates: {error.reason}") from error
    except OSError as error:
        raise BadCertificate("authorities", error.strerror or "cannot be read") from error
