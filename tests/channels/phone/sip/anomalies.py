"""One valid INVITE with everything in it, and every case of one field × one anomaly: 87 × 89, and the valid one."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

# Each {field=value} is a field with its sound value.
_HEAD = """\
{method=INVITE} {uri scheme=sip}:{uri user=12345}@{uri host=yihao.example}:{uri port=5060};{uri parameter=user}=\
{uri value=phone} {version name=SIP}/{version=2.0}
Via: {via name=SIP}/{via version=2.0}/{via transport=UDP} {via host=192.0.2.1}:{via port=5062};\
branch={via branch=z9hG4bKanomaly};{via parameter=rport}
From: "{from display=王小明}" <{from scheme=sip}:{from user=+8613800138000}@{from host=carrier.example};\
{from uri parameter=user=phone}>;tag={from tag=f1};{from parameter=isup-oli}=0
To: {to display=Hotline} <sip:{to user=12345}@{to host=yihao.example}>{to parameters=}
Call-ID: {call id=a84b4c76e66710}@{call host=192.0.2.1}
CSeq: {sequence=314159} {sequence method=INVITE}
Max-Forwards: {max-forwards=70}
Contact: <sip:{contact user=caller}@{contact host=192.0.2.1}:{contact port=5062};transport=\
{contact transport=udp}>;expires={contact expires=600};q={contact q=0.5};+sip.instance="{instance=<urn:uuid:1>}";\
reg-id={reg-id=1}
Record-Route: <sip:{route host=192.0.2.9}:5060;{route parameter=lr}>
Path: <sip:192.0.2.8;lr>
Expires: {expires=180}
Allow: {allow=INVITE, ACK, BYE, UPDATE}
Supported: {supported=100rel, timer}
Require: {require=timer}
Session-Expires: {session-expires=1800};refresher={refresher=uac}
Min-SE: {min-se=90}
P-Asserted-Identity: <tel:{asserted number=+8613800138000}>, "x" <sip:{asserted user=u}@carrier.example>
Privacy: {privacy=none}
User-Agent: {user-agent=Trunk/1.0}
Authorization: {scheme=Digest} username="{username=8001}", realm="{realm=yihao}", nonce="{nonce=bm9uY2U=}", \
uri="{digest uri=sip:yihao.example}", response="{response=0123456789abcdef0123456789abcdef}", \
algorithm={algorithm=MD5}, qop={qop=auth}, nc={nc=00000001}, cnonce="{cnonce=beef}"
Accept: {accept=application/sdp}
Content-Type: {content-type=application/sdp}
{header name=X-Own}: {header value=value}
Content-Length: {content-length=%d}
"""
_BODY = """\
v={sdp version=0}
o={sdp user=-} {sdp id=1} {sdp revision=1} IN {origin family=IP4} {origin address=192.0.2.1}
s=-
c={network=IN} {family=IP4} {address=192.0.2.1}
t=0 0
m={kind=audio} {port=41000} {protocol=RTP/AVP} {payload types=8 0 101}
a=rtpmap:{map type=101} {encoding=telephone-event}/{clock=8000}
a=fmtp:{fmtp type=101} {fmtp=0-15}
a=ptime:20
a={direction=sendrecv}
"""
_FIELD = re.compile(r"\{([^={}]+)=([^{}]*)\}")
FIELDS = tuple(found[1] for found in _FIELD.finditer(_HEAD + _BODY))

ANOMALIES: tuple[bytes, ...] = (
    *(b"", b" ", b"\t", b"   \t   ", b"\r", b"\n", b"\r\n", b"\r\n ", b"\r\n\r\n", b"\x00", b"a\x00b", b"\x01\x02\x03"),
    *(
        b"\x7f",
        b"\x80",
        b"\xff\xfe",
        b"\xc0\xaf",
        b"\xed\xa0\x80",
        "王小明".encode(),
        "王小明".encode("gb18030"),
        b"\xef\xbb\xbf",
    ),
    *(
        "\u202e\u2066".encode(),
        "😀".encode() * 10,
        b"%",
        b"%0",
        b"%00",
        b"%zz",
        b"%41%42",
        b"%25" * 200,
        b"%s%n%x%d" * 8,
    ),
    *(
        b'"',
        b'""',
        b'"a',
        b'a"',
        b'"\\',
        b"\\",
        b"\\\\",
        b"'",
        b"`",
        b"<",
        b">",
        b"<>",
        b"<<<<",
        b">>>>",
        b"<a",
        b"a>",
        b"[",
        b"]",
    ),
    *(
        b"[]",
        b"[::1",
        b"[::1]",
        b"[::::]",
        b"::1",
        b"(",
        b")",
        b"(((",
        b";",
        b";;",
        b";=",
        b";a=",
        b"=",
        b",",
        b",,,,",
        b":",
    ),
    *(b"::", b"@", b"@@", b"a@b@c", b"/", b"//", b"?", b"?a=b", b"*", b"&", b"#", b"-1", b"0", b"00000000000000000000"),
    *(b"1e9", b"0x10", b"1.5", b"65536", b"4294967296", b"9" * 25, b"9" * 5000, b"a" * 300, b"a" * 9000, b"a" * 50000),
    *(b"\x1b[31m", b"${jndi:ldap://x}"),
)


@dataclass(frozen=True)
class Case:
    """One message, and what is wrong with it."""

    name: str
    wire: bytes


def cases() -> Iterator[Case]:
    """The valid one, then every field with every anomaly, in an order that never changes."""
    yield Case("valid", _written("", b""))
    for field in FIELDS:
        for number, anomaly in enumerate(ANOMALIES):
            yield Case(f"{field} anomaly {number}", _written(field, anomaly))


def _written(spoiled: str, anomaly: bytes) -> bytes:
    body = _filled(_BODY, spoiled, anomaly)
    head = _filled(_HEAD, spoiled, anomaly)
    # Never by %-formatting: an anomaly may hold a percent sign.
    return head.replace(b"Content-Length: %d", b"Content-Length: %d" % len(body)) + b"\r\n" + body


def _filled(template: str, spoiled: str, anomaly: bytes) -> bytes:
    parts: list[bytes] = []
    end = 0
    for found in _FIELD.finditer(template):
        parts += (_line(template[end : found.start()]), anomaly if found[1] == spoiled else found[2].encode())
        end = found.end()
    return b"".join((*parts, _line(template[end:])))


def _line(text: str) -> bytes:
    return text.replace("\n", "\r\n").encode()
