# ruff: noqa: E501 - a message reads best as one line, like a row of a table
"""Messages of our own writing, one for each section of RFC 4475 and RFC 5118, with what a server must answer.

`answers` are the statuses allowed for the request as a whole; `()` is silence. A status below 200 stands for "read and
handed on": what becomes of it depends on who is registered and what was dialled.
"""

import itertools
from dataclasses import dataclass

_NUMBERS = itertools.count(1)
SDP = "v=0\r\no=probe 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 41000 RTP/AVP 8 0\r\n"


@dataclass(frozen=True)
class Sample:
    section: str
    name: str
    wire: bytes
    answers: tuple[int, ...]


def wire(start: str, *lines: str, body: str = "", end: str = "\r\n\r\n") -> bytes:
    text = "\r\n".join((start, *lines)) + end + body
    return text.encode("utf-8", "surrogateescape")


def request(
    method: str = "OPTIONS",
    uri: str = "sip:12345@yihao.example",
    *,
    drop: tuple[str, ...] = (),
    extra: tuple[str, ...] = (),
    body: str = "",
    **changed: str,
) -> bytes:
    """A plain request with lines changed (by field name, underscores for hyphens), dropped or added."""
    number = next(_NUMBERS)
    fields = {
        "Via": f"SIP/2.0/UDP probe.example;branch=z9hG4bK-own-{number}",
        "From": "<sip:caller@probe.example>;tag=own1",
        "To": "<sip:12345@yihao.example>",
        "Call-ID": f"own-{number}@probe.example",
        "CSeq": f"7 {method}",
        "Max-Forwards": "70",
        "Contact": "<sip:caller@probe.example>",
    }
    if body:
        fields["Content-Type"] = "application/sdp"
    fields["Content-Length"] = str(len(body.encode()))
    for name, value in changed.items():
        fields[name.replace("_", "-")] = value
    lines = [f"{name}: {value}" for name, value in fields.items() if name not in drop]
    return wire(f"{method} {uri} SIP/2.0", *lines, *extra, body=body)


OK = (100,)

SAMPLES = (
    Sample(
        "4475-3.1.1.1",
        "folded lines, odd spacing, compact forms, zeros in front",
        wire(
            "INVITE sip:12345@yihao.example;oddparam SIP/2.0",
            "tO :\r\n  sip:12345@yihao.example ;   tAg",
            'fROM  : "A \\\\\\" B"     <sip:a@probe.example>\r\n  ;\r\n  tag = own2',
            "mAx-FoRwArDs: 0069",
            "i: own-2@probe.example",
            "cseq: 0011\r\n  INVITE",
            "v  : SIP  /   2.0\r\n /UDP\r\n    probe.example;branch=old-style-1",
            "v: SIP / 2.0 / TCP   far.example  ; branch  = z9hG4bKfar , SIP / 2.0 / UDP 192.0.2.9 ; branch=\r\n z9hG4bKx",
            "s :",
            "Odd-Header: ;;,,;,;",
            'm:"Quoted \\"\\"" <sip:a@probe.example> ; p =\r\n v ; q = 0.33',
            "c: application/sdp",
            f"l:   {len(SDP)}",
            body=SDP,
        ),
        OK,
    ),
    Sample(
        "4475-3.1.1.2",
        "every character that a method, a user and a quoted name may hold",
        request(
            "!a-Method0_*+`.%b'~",
            "sip:1_odd.URI~(a!b)&c'd+e$/f?,/;;*:&g+h=1,i!*j$k~d_l.(m'n)@yihao.example",
            To='"BEL:\\\x07 NUL:\\\x00 DEL:\\\x7f" <sip:1_odd~(a!b)&c;;*@yihao.example>',
            From="one~` two'+_ three*%!.- <sip:b@probe.example>;par''~+*_!.-%=\"работа\";tag=_t~1'+`*%!-.",
            Max_Forwards="255",
        ),
        (501, 405),
    ),
    Sample(
        "4475-3.1.1.3",
        "escapes in user, parameter names and values",
        request(
            "INVITE",
            "sip:sips%3Au%40h.example@yihao.example",
            To="sip:%31%32345@yihao.example",
            Contact="<sip:c%6Cer@probe.example;%6C%72;n%61me=v%61lue%25%34%31>",
            body=SDP,
        ),
        OK,
    ),
    Sample(
        "4475-3.1.1.4",
        "an escaped NUL is a character",
        request("REGISTER", "sip:yihao.example", To="sip:n-%00-n@yihao.example", Contact="<sip:%00@probe.example>"),
        OK,
    ),
    Sample("4475-3.1.1.5", "% that is no escape", request("OPT%49ONS"), (501, 405)),
    Sample("4475-3.1.1.6", "no space before <", request(From="caller<sip:caller@probe.example>;tag=3"), OK),
    Sample(
        "4475-3.1.1.7",
        "long values",
        request(
            To=f'"{"long " * 60}"<sip:{"u" * 200}@yihao.example:6000;{"p" * 120}={"v" * 120}>',
            extra=tuple(f"Via: SIP/2.0/TCP h{n}.example;branch=z9hG4bK{'b' * 60}{n}" for n in range(33)),
        ),
        OK,
    ),
    Sample("4475-3.1.1.8", "a second request behind the first", request() + request("INVITE", body=SDP), OK),
    Sample("4475-3.1.1.9", "semicolons in a user part", request(uri="sip:u;p=a%40b@yihao.example"), OK),
    Sample(
        "4475-3.1.1.10",
        "unknown transports",
        request(
            extra=("Via: SIP/2.0/UNKNOWN t.example;branch=z9hG4bKa", "Via: SIP/2.0/SCTP s.example;branch=z9hG4bKb")
        ),
        OK,
    ),
    Sample(
        "4475-3.1.1.11",
        "a multipart MESSAGE",
        request("MESSAGE", body="--x\r\n\r\n\x00\n--x--\r\n", Content_Type="multipart/mixed;boundary=x"),
        (200, 415),
    ),
    Sample(
        "4475-3.1.1.12",
        "a reason phrase beyond ASCII",
        request().replace(b"OPTIONS sip:12345@yihao.example SIP/2.0", "SIP/2.0 200 好 = 2**3".encode()),
        (),
    ),
    Sample(
        "4475-3.1.1.13",
        "an empty reason phrase",
        request().replace(b"OPTIONS sip:12345@yihao.example SIP/2.0", b"SIP/2.0 100 "),
        (),
    ),
    Sample("4475-3.1.2.1", "separators too many", request(Via="SIP/2.0/UDP 192.0.2.15;;,;,,"), (400,)),
    Sample("4475-3.1.2.1b", "separators too many in Contact", request(Contact='"J" <sip:j@h.example>;;;;'), (400,)),
    Sample("4475-3.1.2.2", "a body shorter than said", request("INVITE", body=SDP, Content_Length="9999"), (400,)),
    Sample("4475-3.1.2.3", "a negative length", request("INVITE", body=SDP, Content_Length="-999"), (400,)),
    Sample("4475-3.1.2.4", "CSeq too large", request(CSeq="36893488147419103232 OPTIONS"), (400,)),
    Sample("4475-3.1.2.4b", "Max-Forwards too large", request(Max_Forwards="300"), (400,)),
    Sample(
        "4475-3.1.2.5",
        "a response with numbers too large",
        request(CSeq="9292394834772304023312 OPTIONS").replace(
            b"OPTIONS sip:12345@yihao.example SIP/2.0", b"SIP/2.0 503 Service Unavailable"
        ),
        (),
    ),
    Sample("4475-3.1.2.6", "a quote not closed", request(To='"Mr. U <sip:12345@yihao.example>'), (400,)),
    Sample("4475-3.1.2.7", "the request URI in brackets", request(uri="<sip:12345@yihao.example>"), (400,)),
    Sample("4475-3.1.2.8", "a space in the request URI", request(uri="sip:12345@yihao.example; lr"), (400,)),
    Sample("4475-3.1.2.9", "two spaces in the request line", request(uri=" sip:12345@yihao.example "), (400,)),
    Sample(
        "4475-3.1.2.10",
        "spaces behind the request line",
        request().replace(b" SIP/2.0\r\n", b" SIP/2.0  \r\n", 1),
        (400,),
    ),
    Sample(
        "4475-3.1.2.11",
        "header fields in the request URI",
        request(uri="sip:1@yihao.example?Route=%3Csip:x%3E"),
        (400,),
    ),
    Sample("4475-3.1.2.12", "a Date in no zone", request(extra=("Date: Fri, 01 Jan 2010 16:00:00 EST",)), (100, 400)),
    Sample(
        "4475-3.1.2.13",
        "a Contact that needs brackets",
        request("REGISTER", "sip:yihao.example", Contact="sip:u@probe.example?Route=%3Csip:x.example%3E"),
        (400,),
    ),
    Sample("4475-3.1.2.14", "spaces within <>", request(To='"W" < sip:12345@yihao.example >'), (400,)),
    Sample("4475-3.1.2.15", "a comma in an unquoted name", request(From="Bell, A <sip:a@probe.example>;tag=4"), (400,)),
    Sample(
        "4475-3.1.2.15b",
        "no empty line at the end",
        request().removesuffix(b"\r\n\r\n") + b"\r\n",
        (400,),
    ),
    Sample(
        "4475-3.1.2.16",
        "another version",
        request(Via="SIP/7.0/UDP probe.example;branch=z9hG4bKv").replace(b" SIP/2.0\r\n", b" SIP/7.0\r\n", 1),
        (505,),
    ),
    Sample("4475-3.1.2.17", "CSeq of another method", request(CSeq="8 INVITE"), (400,)),
    Sample(
        "4475-3.1.2.18", "an unknown method with CSeq of another", request("NEWMETHOD", CSeq="8 INVITE"), (501, 400)
    ),
    Sample(
        "4475-3.1.2.19",
        "a status that is none",
        request().replace(b"OPTIONS sip:12345@yihao.example SIP/2.0", b"SIP/2.0 4294967301 better not"),
        (),
    ),
    Sample("4475-3.2.1", "the bare cookie as branch", request(Via="SIP/2.0/UDP probe.example;branch=z9hG4bK"), OK),
    Sample(
        "4475-3.3.1", "From, To and Call-ID absent", request("INVITE", drop=("From", "To", "Call-ID"), body=SDP), (400,)
    ),
    Sample("4475-3.3.1b", "From absent", request("INVITE", drop=("From",), body=SDP), (400,)),
    Sample("4475-3.3.1c", "Via absent", request("INVITE", drop=("Via",), body=SDP), (400,)),
    Sample("4475-3.3.2", "an unknown scheme", request(uri="nobodyKnows:opaque"), (416,)),
    Sample("4475-3.3.3", "a known scheme out of place", request(uri="soap.beep://192.0.2.103:3002"), (416,)),
    Sample(
        "4475-3.3.4",
        "odd schemes in the fields of a REGISTER",
        request(
            "REGISTER", "sip:yihao.example", To="isbn:2983792873", From="<http://h.example>;tag=5", Contact="<name:J_S>"
        ),
        (400,),
    ),
    Sample(
        "4475-3.3.5",
        "Require and Proxy-Require of the unknown",
        request(extra=("Require: nothing, nothingElse", "Proxy-Require: noProxy")),
        (420,),
    ),
    Sample(
        "4475-3.3.6", "an unknown content type", request("INVITE", body="<a/>", Content_Type="application/odd"), (415,)
    ),
    Sample(
        "4475-3.3.7",
        "an unknown scheme of authorization",
        request("REGISTER", "sip:yihao.example", extra=("Authorization: NoOneKnows data=here",)),
        (100, 401),
    ),
    Sample(
        "4475-3.3.8",
        "single fields doubled",
        request("INVITE", body=SDP, extra=("To: sip:b@h.example", "From: sip:c@h.example;tag=9", "CSeq: 59 INVITE")),
        (400,),
    ),
    Sample("4475-3.3.9", "two lengths", request(extra=("Content-Length: 5",)), (400,)),
    Sample("4475-3.3.9b", "two equal lengths", request(extra=("Content-Length: 0",)), (400,)),
    Sample(
        "4475-3.3.10",
        "a response that came back by broadcast",
        request(extra=("Via: SIP/2.0/UDP 255.255.255.255;branch=z9hG4bKy",)).replace(
            b"OPTIONS sip:12345@yihao.example SIP/2.0", b"SIP/2.0 200 OK"
        ),
        (),
    ),
    Sample("4475-3.3.11", "Max-Forwards of zero", request(Max_Forwards="0"), OK),
    Sample(
        "4475-3.3.12",
        "an odd Contact parameter",
        request("REGISTER", "sip:yihao.example", Contact="sip:+862155551234@gw.example;odd"),
        OK,
    ),
    Sample(
        "4475-3.3.13",
        "an odd URI parameter",
        request("REGISTER", "sip:yihao.example", Contact="<sip:+862155551234@gw.example;odd>"),
        OK,
    ),
    Sample(
        "4475-3.3.14",
        "an escaped header in a Contact",
        request("REGISTER", "sip:yihao.example", Contact="<sip:u@probe.example?Route=%3Csip:x.example%3E>"),
        OK,
    ),
    Sample("4475-3.3.15", "SDP not acceptable", request("INVITE", body=SDP, extra=("Accept: text/odd",)), (406,)),
    Sample(
        "4475-3.4.1",
        "an INVITE of RFC 2543",
        wire(
            "INVITE sip:12345@yihao.example SIP/2.0",
            "Via: SIP/2.0/UDP gw.example",
            "From: <sip:+862155551234@gw.example;user=phone>",
            "To: sip:12345@yihao.example;user=phone",
            "Call-ID: own-2543@gw.example",
            "CSeq: 56 INVITE",
            "Content-Type: application/sdp",
            body=SDP,
        ),
        (100, 400),
    ),
    Sample(
        "5118-4.1",
        "an IPv6 reference",
        request(uri="sip:[2001:db8::10]", Via="SIP/2.0/UDP [2001:db8::9:1];branch=z9hG4bK6"),
        OK,
    ),
    Sample("5118-4.2", "IPv6 without brackets", request(uri="sip:2001:db8::10"), (400,)),
    Sample("5118-4.3", "a port within the brackets", request(uri="sip:[2001:db8::10:5070]"), OK),
    Sample("5118-4.4", "a port behind the brackets", request(uri="sip:[2001:db8::10]:5070"), OK),
    Sample(
        "5118-4.5a",
        "received in brackets",
        request(Via="SIP/2.0/UDP [2001:db8::9:1];received=[2001:db8::9:255];branch=z9hG4bK7"),
        OK,
    ),
    Sample(
        "5118-4.5b",
        "received without brackets",
        request(Via="SIP/2.0/UDP [2001:db8::9:1];received=2001:db8::9:255;branch=z9hG4bK8"),
        OK,
    ),
    Sample("5118-4.6", "IPv6 in SDP", request("INVITE", body=SDP.replace("IP4 127.0.0.1", "IP6 2001:db8::20")), OK),
    Sample(
        "5118-4.7",
        "addresses of both kinds in Via",
        request(extra=("Via: SIP/2.0/TCP [2001:db8::9:255];branch=z9hG4bK9;received=192.0.2.200",)),
        OK,
    ),
    Sample(
        "5118-4.8",
        "addresses of both kinds in SDP",
        request("INVITE", body=SDP + "m=video 6024 RTP/AVP 107\r\nc=IN IP6 2001:db8::1\r\n"),
        OK,
    ),
    Sample(
        "5118-4.9", "an IPv4 address in IPv6", request("INVITE", Contact='"T" <sip:t@[::ffff:192.0.2.2]>', body=SDP), OK
    ),
    Sample("5118-4.10a", "three colons", request(uri="sip:12345@[2001:db8:::192.0.2.1]"), OK),
    Sample("5118-4.10b", "two colons", request(uri="sip:12345@[2001:db8::192.0.2.1]"), OK),
    Sample(
        "telephony", "a port that no socket has", request(Via="SIP/2.0/UDP probe.example:99999;branch=z9hG4bKp"), (400,)
    ),
    Sample("telephony", "a tel: From", request("INVITE", From="<tel:+8613800138000>;tag=6", body=SDP), OK),
    Sample(
        "telephony",
        "a display name in GBK",
        request("INVITE", body=SDP).replace(b"From: ", "From: 张三 ".encode("gb18030")),
        OK,
    ),
    Sample("telephony", "transport in upper case", request(Contact="<sip:a@probe.example;transport=UDP>"), OK),
    Sample("telephony", "an unknown Require", request("INVITE", body=SDP, extra=("Require: unheard-of",)), (420,)),
    Sample("3261-7.3.1", "a bare line feed within a line", request(Max_Forwards="7\n0"), (400,)),
    Sample("3261-7.3.1", "a line without a name", request(extra=("no colon here",)), (400,)),
    Sample("limits", "a line of more than 8 KB", request(extra=(f"X: {'x' * 9000}",)), (513,)),
    Sample("limits", "more than 128 fields", request(extra=tuple(f"X-{n}: 1" for n in range(140))), (513,)),
    Sample(
        "limits",
        "more than 70 Via",
        request(extra=tuple(f"Via: SIP/2.0/UDP h{n};branch=z9hG4bK{n}" for n in range(80))),
        (513,),
    ),
)
