"""What the operator of the machine decides. Defaults stand in `default.toml` alone, each under its sentence.

A name that ends in `_s` is a time in seconds, and is never negative; the reader holds every such field to it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

from config.limits import Between, Cidr, Items, Matching
from config.secret import Secret, SecretUrl
from session.rules import Rules

Port = Annotated[int, Between(0, 65535)]
Count = Annotated[int, Between(1, 1_000_000)]
Cidrs = tuple[Annotated[str, Cidr()], ...]
Origin = Annotated[str, Matching(r"https?://[^/\s]+", "an origin such as https://hotline.example.cn")]
PublicOrigin = Annotated[str, Matching(r"|https?://[^/\s]+", "empty, or an origin such as https://hotline.example.cn")]
Number = Annotated[str, Matching(r"\+?[0-9]{2,15}", "a telephone number, digits only")]
Ipv6 = Annotated[str, Matching(r"|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*", "empty, or an IPv6 address such as ::")]
HostName = Annotated[str, Matching(r"[A-Za-z0-9:._-]{1,255}", "a name or an address")]
HostPort = Annotated[
    str,
    Matching(
        r"|([A-Za-z0-9._-]{1,255}|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?", "empty, or an address such as 10.0.0.5:5060"
    ),
]
Daemon = Annotated[
    str,
    Matching(r"([A-Za-z0-9._-]{1,255}|\[[0-9A-Fa-f:.]+\]):[0-9]{1,5}", "items such as 10.0.0.21:2223"),
]
AreaCode = Annotated[str, Matching(r"|[1-9][0-9]{1,3}", "an area code without its 0, as 10 or 571")]
Name = Annotated[str, Matching(r"[a-z][a-z0-9-]{0,31}", "a short name in a-z, 0-9 and -")]
FeatureCode = Annotated[
    str, Matching(r"[*#0-9]{2,8} [a-z_]{1,32}", 'a code and what it says, such as "*41 ready" or "*42 meal"')
]
Hours = Annotated[
    str,
    Matching(
        r"(mon|tue|wed|thu|fri|sat|sun)(-(mon|tue|wed|thu|fri|sat|sun))? [0-2][0-9]:[0-5][0-9]-[0-2][0-9]:[0-5][0-9]",
        'opening hours such as "mon-fri 08:30-18:00"',
    ),
]
Key = Annotated[Secret, Matching(r"|.{32,256}", "empty, or a text of 32 to 256 characters")]
SealKey = Annotated[Secret, Matching(r"[A-Za-z0-9+/]{43}", "a list of EncodingAESKeys of 43 characters")]
AccountId = Annotated[str, Matching(r"[A-Za-z0-9_-]{0,64}", "empty, or the account's id in letters, digits, _ and -")]
Assigned = Annotated[str, Matching(r"[a-z][a-z0-9_]{0,31}=\S.{0,511}", "pairs such as link=SMS_1234")]
Reviewed = Annotated[
    str,
    Matching(
        r"[a-z][a-z0-9_]{0,31}=[A-Za-z0-9_-]{1,128}(,[A-Za-z0-9_]{1,32}=[a-z][a-z0-9_]{0,31})*",
        "a notice, its template and its fields such as link=TEMPLATE_ID,thing1=text",
    ),
]
Way = Annotated[
    str, Matching(r"\+[0-9]{0,8}=(cmpp|smpp|aliyun|tencent|twilio)", "pairs of prefix and carrier such as +86=cmpp")
]
DayHours = Annotated[
    str, Matching(r"([01][0-9]|2[0-3]):[0-5][0-9]-([01][0-9]|2[0-3]):[0-5][0-9]", "hours such as 21:00-08:00")
]
PathSecret = Annotated[Secret, Matching(r"|[A-Za-z0-9_-]{24,128}", "empty, or 24 to 128 letters, digits, _ and -")]
NoticeText = Annotated[str, Matching(r"[^\x00]{1,500}", "a text of 1 to 500 characters")]
CallbackPath = Annotated[str, Matching(r"/api/wechat/kf(/[a-z0-9-]{1,64})?", "/api/wechat/kf, or a path below it")]
ClientKey = Annotated[Secret, Matching(r"[!-~]{32,256}", "a secret of 32 to 256 characters, without blanks")]
SiteSecret = Annotated[Secret, Matching(r"[A-Za-z0-9_-]{1,32}=[!-~]{32,256}", "kid=secret, of 32 to 256 characters")]
SitePublicKey = Annotated[
    str, Matching(r"[A-Za-z0-9_-]{1,32}=[A-Za-z0-9_-]{43}", "kid=x, an Ed25519 key's 43 characters as a JWK has them")
]
Callback = Annotated[
    str, Matching(r"|https?://[^\s@/]+(/[!-~]*)?", "empty, or an address such as https://app.example.cn/events")
]
Srtp = Literal["never", "offer", "require"]
Greeting = Annotated[str, Matching(r"[\s\S]{0,600}", "a text of at most 600 characters")]


@dataclass(frozen=True, slots=True)
class Http:
    """The web server: pages, sockets, API."""

    host: str
    port: Port
    tls_port: Port
    public: PublicOrigin
    origins: tuple[Origin, ...]
    trusted_proxies: Cidrs


@dataclass(frozen=True, slots=True)
class Tls:
    """The machine's certificate, for the web server and for SIP."""

    certificate: str
    key: str
    authorities: str


@dataclass(frozen=True, slots=True)
class Carrier:
    """One carrier's trunk: an item of `[[sip.carriers]]`. What is left out is as here."""

    name: Name
    host: HostName
    port: Port = 0
    transport: Literal["", "udp", "tcp", "tls"] = ""
    networks: Cidrs = ()
    username: str = ""
    password: Secret = field(default=Secret(""))
    registers: bool = False
    expires_s: float = 3600
    identity: str = ""
    domain: str = ""
    proxy: HostPort = ""
    caller: str = ""
    form: Literal["e164", "national"] = "e164"
    numbers: tuple[Annotated[str, Matching(r"\+[0-9]{1,15}", "the beginning of a number, such as +86571")], ...] = ()
    codecs: tuple[Annotated[str, Matching(r"[A-Za-z0-9]{2,12}", "a codec's name, such as PCMA")], ...] = ()
    srtp: Srtp = "never"
    calls: Count = 100
    asked_s: float = 30


@dataclass(frozen=True, slots=True)
class Sip:
    """Telephone signalling."""

    host: str
    host6: Ipv6
    port: Port
    tls_port: Port
    advertised_host: str
    number: tuple[Number, ...]
    realm: str
    trunks: Cidrs
    trusted_proxies: Cidrs
    carriers: tuple[Carrier, ...]
    nameservers: tuple[str, ...]
    srtp: Srtp
    md5: bool
    authenticate: bool
    area: AreaCode
    max_calls: Count
    max_calls_per_s: Count
    overload_s: float
    register_min_s: float
    register_max_s: float
    session_expires_s: float
    session_least_s: float
    page_back_s: float
    kept_call_s: float
    ladder_days: Annotated[int, Between(0, 366)]
    captures: bool


@dataclass(frozen=True, slots=True)
class Authority:
    """Whom agents may call to a call by one click: an item of `outbound.places`."""

    name: Annotated[str, Matching(r"[^\x00-\x1f]{1,40}", "a name of at most 40 characters")]
    number: Annotated[str, Matching(r"\+?[0-9]{2,15}", "a telephone number, digits only")]
    emergency: bool = False


@dataclass(frozen=True, slots=True)
class Outbound:
    """Calls that we make to citizens."""

    trunk: str
    port: Port
    transport: Literal["udp", "tcp", "tls"]
    caller: Annotated[str, Matching(r"|\+?[0-9]{2,15}", "empty, or a telephone number, digits only")]
    form: Literal["e164", "national"]
    returns: bool
    allow: tuple[Annotated[str, Matching(r"\+[0-9]{1,15}", "how an E.164 number begins, as +86")], ...]
    per_agent_a_day: Count
    a_day: Count
    places: tuple[Authority, ...]

    @property
    def leads_anywhere(self) -> bool:
        """Whether anybody can be called."""
        return bool(self.trunk) or self.returns


@dataclass(frozen=True, slots=True)
class Media:
    """Sound."""

    engine: Literal["inprocess", "rtpengine"]
    rtpengine: tuple[Daemon, ...]
    host: str
    port_min: Port
    port_max: Port
    codecs: tuple[Literal["PCMA", "PCMU", "G722", "OPUS"], ...]
    workers: Annotated[int, Between(-1, 64)]


@dataclass(frozen=True, slots=True)
class Store:
    """Redis or Valkey, which holds what is going on now."""

    url: SecretUrl
    tenant: Name
    accept_unsafe: bool


@dataclass(frozen=True, slots=True)
class Storage:
    """The SQL database, which holds what was."""

    url: SecretUrl


@dataclass(frozen=True, slots=True)
class Agents:
    """The people who answer."""

    ready_on_register: bool
    codes: tuple[FeatureCode, ...]
    park_code: Annotated[str, Matching(r"|[*#][0-9]{1,3}", "empty, or * or # and up to three digits")]
    echo_code: Annotated[str, Matching(r"[*#][0-9]{1,3}", "* or # and up to three digits")]
    offer_lease_s: float
    decline_pause_s: float
    rescind_after_s: float
    login_idle_s: float
    login_longest_s: float


@dataclass(frozen=True, slots=True)
class Site:
    """A site that hosts the chat and signs who its visitor is: an item of `[[webchat.sites]]`."""

    id: Name
    secrets: tuple[SiteSecret, ...] = ()
    public_keys: tuple[SitePublicKey, ...] = ()


@dataclass(frozen=True, slots=True)
class WebChat:
    """The chat on the citizen's page."""

    longest_text: Annotated[int, Between(1, 20_000)]
    messages_per_s: Annotated[float, Between(0.01, 1000)]
    messages_burst: Count
    sockets_per_visitor: Count
    sockets_per_address: Count
    sockets: Count
    audience: Name
    sites: tuple[Site, ...]


@dataclass(frozen=True, slots=True)
class Browser:
    """Calls from the citizen's page."""

    calls: Annotated[int, Between(0, 100_000)]
    in_hours: bool


@dataclass(frozen=True, slots=True)
class WeChat:
    """The official account (公众号)."""

    appid: AccountId
    secret: Secret
    token: Secret
    aes_keys: tuple[SealKey, ...]
    greeting: Greeting
    human_key: str
    templates: tuple[Reviewed, ...]
    subscriptions: tuple[Reviewed, ...]
    api: Origin
    media_origins: tuple[Origin, ...]


@dataclass(frozen=True, slots=True)
class WeChatKf:
    """WeChat customer service (微信客服)."""

    corpid: AccountId
    open_kfid: AccountId
    secret: Secret
    token: Secret
    aes_keys: tuple[SealKey, ...]
    greeting: Greeting
    api: Origin
    path: CallbackPath


@dataclass(frozen=True, slots=True)
class Notices:
    """What the house itself tells citizens, with `{parameters}`."""

    link: NoticeText
    picture: NoticeText
    code: NoticeText
    reply: NoticeText


@dataclass(frozen=True, slots=True)
class Cmpp:
    """A gateway of a Chinese carrier (CMPP 网关)."""

    host: str
    port: Port
    account: str
    secret: Secret
    source_id: str
    version: Literal["2.0", "3.0"]
    service: str


@dataclass(frozen=True, slots=True)
class Smpp:
    """A message centre that speaks SMPP 3.4."""

    host: str
    port: Port
    system: str
    password: Secret
    kind: str
    source: str
    source_ton: Annotated[int, Between(0, 7)]
    source_npi: Annotated[int, Between(0, 18)]
    default: Literal["gsm7", "ascii", "latin1", "ucs2", "gbk"]
    vouched: bool


@dataclass(frozen=True, slots=True)
class Aliyun:
    """Alibaba Cloud SMS (阿里云短信)."""

    key_id: str
    key_secret: Secret
    signature: str
    templates: tuple[Assigned, ...]
    callback_secret: PathSecret
    networks: Cidrs
    url: Origin


@dataclass(frozen=True, slots=True)
class Tencent:
    """Tencent Cloud SMS (腾讯云短信)."""

    secret_id: str
    secret_key: Secret
    app: str
    signature: str
    templates: tuple[Assigned, ...]
    callback_secret: PathSecret
    networks: Cidrs
    region: str
    url: Origin


@dataclass(frozen=True, slots=True)
class Twilio:
    """Twilio, outside of the mainland."""

    account: AccountId
    tokens: tuple[Secret, ...]
    shared_keys: tuple[Annotated[Secret, Matching(r"[A-Za-z0-9]{1,64}=\S{1,256}", "pairs of key and secret")], ...]
    sender: Annotated[str, Matching(r"|\+[0-9]{2,15}|MG[0-9a-f]{32}", "empty, a number in E.164, or an MG… id")]
    public_url: Annotated[str, Matching(r"|https?://[^/\s]+", "empty, or an origin such as https://hotline.example.cn")]
    contents: tuple[Assigned, ...]
    media_hosts: tuple[str, ...]
    vouched: bool
    url: Origin


@dataclass(frozen=True, slots=True)
class Sms:
    """Text messages (短信)."""

    ways: tuple[Way, ...]
    reply_template: Annotated[str, Matching(r"[a-z][a-z0-9_]{0,31}", "the name of a notice")]
    number_per_hour: Annotated[float, Between(0.1, 10_000)]
    number_burst: Count
    campaign_per_s: Annotated[float, Between(0.01, 10_000)]
    campaign_burst: Count
    quiet: DayHours
    cmpp: Cmpp
    smpp: Smpp
    aliyun: Aliyun
    tencent: Tencent
    twilio: Twilio


@dataclass(frozen=True, slots=True)
class GovClient:
    """A platform that may use the API."""

    id: Annotated[str, Matching(r"[a-z0-9][a-z0-9-]{0,31}", "a short name in a-z, 0-9 and -")]
    secrets: Annotated[tuple[ClientKey, ...], Items(1, 2)]
    callback: Callback = ""
    vouches_for_phones: bool = False
    requests_per_s: Annotated[float, Between(0.01, 10_000)] = 50.0
    requests_burst: Count = 200


@dataclass(frozen=True, slots=True)
class GovApi:
    """The API for government platforms (政务平台)."""

    clients: tuple[GovClient, ...]
    user_words_per_s: Annotated[float, Between(0.01, 1000)]
    user_words_burst: Count
    callback_give_up_s: float
    plain_callbacks: bool


@dataclass(frozen=True, slots=True)
class Recordings:
    """What is kept of calls."""

    enabled: bool
    folder: str


@dataclass(frozen=True, slots=True)
class Bots:
    """Programs that answer."""

    guide: bool
    hours: tuple[Hours, ...]


@dataclass(frozen=True, slots=True)
class Wallboard:
    """When the supervisors' wallboard raises an alarm."""

    longest_wait_s: float
    least: int


@dataclass(frozen=True, slots=True)
class Drain:
    """Going down in good order."""

    bound_s: float


@dataclass(frozen=True, slots=True)
class Log:
    """What the process says of itself."""

    level: Literal["debug", "info", "warning", "error"]
    format: Literal["plain", "json"]


@dataclass(frozen=True, slots=True)
class Secrets:
    """Keys that all nodes of one hotline must share. An empty one is made by the first start, in the data folder."""

    resume_key: Key
    cookie_key: Key
    pepper: Key


@dataclass(frozen=True, slots=True)
class Settings:
    """The whole configuration."""

    demo: bool
    data: Path
    http: Http
    tls: Tls
    sip: Sip
    outbound: Outbound
    media: Media
    store: Store
    storage: Storage
    agents: Agents
    session: Rules
    webchat: WebChat
    browser: Browser
    wechat: WeChat
    wechat_kf: WeChatKf
    sms: Sms
    notices: Notices
    govapi: GovApi
    recordings: Recordings
    bots: Bots
    wallboard: Wallboard
    drain: Drain
    log: Log
    secrets: Secrets

    @property
    def recordings_folder(self) -> Path:
        """Where recordings are kept: absolute, since all processes that write there are to mean the same by it."""
        folder = Path(self.recordings.folder) if self.recordings.folder else self.data / "recordings"
        return folder.absolute()
