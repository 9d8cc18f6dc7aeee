"""What the operator decides about the phone. The gateway fills it from the section `sip` of the configuration."""

from __future__ import annotations

import ipaddress
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from channels.phone.carriers import CarrierSettings
from channels.phone.guard import GuardSettings, Network
from channels.phone.trunk import TrunkSettings
from channels.phone.vigil import Vigilance
from session.audio import Secrecy


@dataclass(frozen=True, slots=True, kw_only=True)
class PhoneSettings:
    """Times in seconds."""

    host: str = "127.0.0.1"
    host6: str = ""
    """A second address, of the other family; empty listens on one."""
    port: int = 5060
    """Of UDP and TCP; 0 takes a free one."""
    tls: ssl.SSLContext | None = None
    """With our certificate; None takes no TLS."""
    tls_port: int = 5061
    verifying: ssl.SSLContext | None = None
    """For connections that we make; None trusts whom the system trusts."""
    origins: tuple[str, ...] = ()
    """Of pages, besides the web server's own, that may be telephones."""
    advertised_host: str = ""
    """What others reach us by; empty is the address listened on."""
    numbers: tuple[str, ...] = ("12345",)
    realm: str = "yihao"
    trunks: tuple[str, ...] = ()
    """Networks whose calls are taken without registration, and whose word about the caller is believed."""
    proxies: tuple[str, ...] = ()
    """Networks of proxies of ours: whoever comes through them is who they say."""
    carriers: tuple[CarrierSettings, ...] = ()
    """Trunks by name: found, asked whether they live, registered with."""
    nameservers: tuple[str, ...] = ()
    """Whom to ask for the carriers' names, in place of the system's servers."""
    srtp: Secrecy = Secrecy.NEVER
    """Whether telephones, and callers who are no carrier, hear and speak under keys; pages always do."""
    md5: bool = True
    area: str = ""
    """The hotline's own area code without its 0, for callers who are sent without one."""
    max_calls: int = 400
    max_calls_per_s: int = 100
    overload_s: float = 0.0
    """How late the process may be to what is due, on the average of half a second; later puts calls off, 0 never."""
    register_min_s: float = 60.0
    register_max_s: float = 3600.0
    session_expires_s: float = 1_800.0
    """How often a call's ends must show each other that they are there (RFC 4028); 0 asks for nothing."""
    session_least_s: float = 90.0
    kept_call_s: float = 120.0
    """How long a call is kept with an announcement while the store cannot be reached."""
    store_patience_s: float = 2.0
    """How long a caller may hear nothing while the store does not answer."""
    debts: Path = Path("data/debts")
    """The folder where calls are noted that the store could not be told of yet; several processes may share it."""
    outbound: TrunkSettings = field(default_factory=TrunkSettings)
    """By which citizens are called."""
    ladders: Path | None = None
    """The folder for what happened in each call; None keeps none."""
    ladder_days: int = 7
    captures: bool = False
    """Whether whole messages are kept there too, for Wireshark: they hold numbers and names."""
    codes: Mapping[str, str] = field(default_factory=dict)
    """What an agent chooses by dialling: the code, and `ready` or the reason for which they are not."""
    echo_code: str = ""
    """What an agent's telephone dials to hear itself; empty is nothing."""
    vigilance: Vigilance = field(default_factory=Vigilance)
    authenticate: bool = True
    """False takes every registration, caller and number: for the conformance tests of SIP only."""
    guard: GuardSettings = field(default_factory=GuardSettings)

    @property
    def networks(self) -> tuple[Network, ...]:
        """The trunks' networks."""
        return tuple(ipaddress.ip_network(text) for text in self.trunks)

    @property
    def proxy_networks(self) -> tuple[Network, ...]:
        """The proxies' networks."""
        return tuple(ipaddress.ip_network(text) for text in self.proxies)

    @property
    def algorithms(self) -> tuple[str, ...]:
        """Digest algorithms in the order of preference (RFC 8760)."""
        return ("SHA-256", "MD5") if self.md5 else ("SHA-256",)
