"""`yihao doctor`: what is missing or unsafe on this machine, and how to mend it."""

from __future__ import annotations

import asyncio
import ipaddress
import os
import resource
import shutil
import socket
import stat
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from importlib.util import find_spec
from pathlib import Path

from config.settings import Settings
from gateway.certificate import BadCertificate, Certificate, read_certificate
from gateway.doors import advice, faults, lacking
from media.codecs import known
from queueing.settings import QueueSettings
from queueing.store import RedisStore
from session.errors import YihaoError

LEAST_FILES = 4096
LEAST_DAYS = 21
LEAST_FREE_BYTES = 2 * 1024**3


class Grade(StrEnum):
    """How bad it is. `fault` stops `yihao up`; `warning` is for whoever runs it to weigh."""

    OK = "ok"
    WARNING = "warning"
    FAULT = "fault"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at, and the mend where one is needed."""

    grade: Grade
    what: str
    mend: str = ""


def examine(settings: Settings) -> list[Finding]:
    """Look at everything that can be seen without starting anything."""
    looks: tuple[Callable[[Settings], Iterator[Finding]], ...] = (
        _python, _data_folder, _disk, _files, _ports, _tls, _sip, _pages, _web, _doors, _codecs, _dialler, _demo,
    )  # fmt: skip
    return [finding for look in looks for finding in look(settings)]


async def examine_store(settings: Settings) -> Finding:
    """Whether the store that is configured answers and is durable."""
    url = settings.store.url.reveal()
    if not url:
        return Finding(Grade.OK, "store: embedded Valkey, every write on disk before it is acknowledged")
    try:
        async with (
            asyncio.timeout(5),
            RedisStore.connect(
                url,
                tenant=settings.store.tenant,
                pepper=b"doctor",
                settings=QueueSettings(accept_unsafe=settings.store.accept_unsafe),
            ) as store,
        ):
            await store.ready()
    except YihaoError as error:
        return Finding(Grade.FAULT, f"store: {error}", "or leave store.url empty, and it brings one of its own")
    except TimeoutError:
        return Finding(Grade.FAULT, "store: no answer", "see whether it runs; or leave store.url empty")
    return Finding(Grade.OK, "store: answers, and is durable")


def _python(_: Settings) -> Iterator[Finding]:
    version = ".".join(map(str, sys.version_info[:3]))
    ok = sys.version_info >= (3, 11)
    yield Finding(Grade.OK if ok else Grade.FAULT, f"Python {version}", "" if ok else "install Python 3.11 or newer")


def _data_folder(settings: Settings) -> Iterator[Finding]:
    folder = settings.data
    nearest = next(path for path in (folder, *folder.resolve().parents) if path.exists())
    if not nearest.is_dir() or not os.access(nearest, os.W_OK):
        yield Finding(
            Grade.FAULT, f"data folder {folder} cannot be written", f"give {nearest} to the user who runs yihao"
        )
        return
    yield Finding(Grade.OK, f"data folder {folder}")
    for name in ("secrets.json", "credentials.json"):
        secret = folder / name
        if secret.exists() and stat.S_IMODE(secret.stat().st_mode) & 0o077:
            yield Finding(Grade.FAULT, f"{name} can be read by others", f"chmod 600 {secret}")


def _disk(settings: Settings) -> Iterator[Finding]:
    nearest = next(path for path in (settings.data, *settings.data.resolve().parents) if path.exists())
    free = shutil.disk_usage(nearest).free
    if free < LEAST_FREE_BYTES:
        yield Finding(Grade.WARNING, f"only {free // 1024**2} MiB free for logs and recordings", "make room")
    else:
        yield Finding(Grade.OK, f"{free // 1024**3} GiB free")


def _files(_: Settings) -> Iterator[Finding]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < LEAST_FILES:
        yield Finding(Grade.WARNING, f"at most {hard} open files", "raise LimitNOFILE, or `ulimit -n 65536`")
    else:
        yield Finding(Grade.OK, f"open files: {soft} now, {hard} allowed")


def _ports(settings: Settings) -> Iterator[Finding]:
    http, sip = settings.http, settings.sip
    both = (socket.SOCK_DGRAM, socket.SOCK_STREAM)
    wanted: list[tuple[str, str, str, int, tuple[socket.SocketKind, ...]]] = [
        ("http", "http.port", http.host, http.port, (socket.SOCK_STREAM,)),
        ("sip", "sip.port", sip.host, sip.port, both),
    ]
    if sip.host6:
        wanted.append(("sip IPv6", "sip.port", sip.host6, sip.port, both))
    if settings.tls.certificate:
        wanted.append(("https", "http.tls_port", http.host, http.tls_port, (socket.SOCK_STREAM,)))
        wanted.append(("sip TLS", "sip.tls_port", sip.host, sip.tls_port, (socket.SOCK_STREAM,)))
    for name, key, host, port, kinds in wanted:
        if port and not all(_free(host, port, kind) for kind in kinds):
            yield Finding(Grade.WARNING, f"{name} port {port} is in use", f"stop what uses it, or --set {key}=…")
        else:
            yield Finding(Grade.OK, f"{name} port {port or 'any'}")


def _free(host: str, port: int, kind: socket.SocketKind) -> bool:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, kind) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def _tls(settings: Settings) -> Iterator[Finding]:
    tls = settings.tls
    if not tls.certificate and not tls.key:
        yield Finding(
            Grade.WARNING,
            "no certificate: no HTTPS, no SIP over TLS, and browsers elsewhere than here lend no microphone",
            "name one in [tls], or put a TLS proxy before the web server",
        )
        return
    try:
        Certificate(tls)
        ends_at = read_certificate(tls).not_valid_after_utc
    except BadCertificate as error:
        yield Finding(Grade.FAULT, str(error), "name a certificate with its chain, and its key, as PEM files")
        return
    if stat.S_IMODE(Path(tls.key).stat().st_mode) & 0o077:
        yield Finding(Grade.FAULT, "the private key can be read by others", f"chmod 600 {tls.key}")
    days = (ends_at - datetime.now(UTC)).days
    if days < LEAST_DAYS:
        yield Finding(Grade.WARNING if days >= 0 else Grade.FAULT, f"the certificate ends in {days} days", "renew it")
    else:
        yield Finding(Grade.OK, f"certificate for {days} more days")


def _sip(settings: Settings) -> Iterator[Finding]:
    if not settings.sip.authenticate:
        yield Finding(Grade.FAULT, "anybody may register and call as anyone", "sip.authenticate = true")
    if settings.sip.captures:
        yield Finding(
            Grade.WARNING, "every call's messages are kept, with numbers and names", "sip.captures = false once found"
        )
    named = (network for carrier in settings.sip.carriers for network in carrier.networks)
    networks = [ipaddress.ip_network(trunk, strict=False) for trunk in (*settings.sip.trunks, *named)]
    wide = [network for network in networks if network.num_addresses > 2**16 and not network.is_loopback]
    if not networks and not settings.sip.carriers:
        yield Finding(
            Grade.WARNING,
            "no trunk: only registered phones can call",
            "name a carrier in sip.carriers",
        )
    elif wide:
        yield Finding(Grade.FAULT, f"trunk {wide[0]} lets half the world call", "name the carrier's own addresses")
    else:
        yield Finding(Grade.OK, f"{len(networks)} trunk networks, {len(settings.sip.carriers)} carriers by name")
    for carrier in settings.sip.carriers:
        if carrier.registers and not carrier.username:
            yield Finding(Grade.FAULT, f"carrier {carrier.name} is registered with as nobody", "give its username")
    if len({carrier.name for carrier in settings.sip.carriers}) < len(settings.sip.carriers):
        yield Finding(Grade.FAULT, "two carriers have one name", "give each a name of its own")


def _pages(_: Settings) -> Iterator[Finding]:
    page = Path(__file__).with_name("static") / "index.html"
    if page.exists():
        yield Finding(Grade.OK, "pages are built")
    else:
        yield Finding(Grade.FAULT, "the pages are not built", "make setup")


def _web(settings: Settings) -> Iterator[Finding]:
    if settings.http.host not in {"127.0.0.1", "::1", "localhost"} and not settings.http.origins:
        yield Finding(
            Grade.WARNING,
            "the web server is open to others, and http.origins is empty",
            "put a TLS proxy before it, and name its origin in http.origins",
        )


def _doors(settings: Settings) -> Iterator[Finding]:
    for key in lacking(settings):
        yield Finding(Grade.FAULT, f"{key} is empty", "fill it in, or empty the whole section")
    for one in faults(settings):
        yield Finding(Grade.FAULT, one.what, one.mend)
    for one in advice(settings):
        yield Finding(Grade.WARNING, one.what, one.mend)


def _codecs(settings: Settings) -> Iterator[Finding]:
    missing = sorted(set(settings.media.codecs) - {"PCMA", "PCMU", *known()})
    if missing:
        mend = "install the system's libopus (on Debian: apt-get install libopus0), or leave it out of media.codecs"
        yield Finding(Grade.WARNING, f"codecs: {', '.join(missing)} cannot be spoken here", mend)


def _dialler(_: Settings) -> Iterator[Finding]:
    if find_spec("pyVoIP") is None:
        yield Finding(Grade.WARNING, "`yihao dial` needs pyVoIP", "make run installs it (Python 3.11 or 3.12)")


def _demo(settings: Settings) -> Iterator[Finding]:
    if settings.demo:
        yield Finding(
            Grade.WARNING, "the demonstration profile is on: this machine itself may call", "demo = false for a city"
        )
