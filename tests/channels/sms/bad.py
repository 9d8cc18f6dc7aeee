"""Bodies of callbacks that were made to hurt, rightly proven: by name, each with the status that it is answered."""

import gzip
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Bad:
    """One body."""

    body: bytes
    status: int
    headers: Mapping[str, str] = field(default_factory=dict)


JSON: Mapping[str, Bad] = {
    "empty": Bad(b"", 400),
    "truncated": Bad(b'[{"content":"', 400),
    "not JSON": Bad(b"<xml/>", 400),
    "not UTF-8": Bad(b'[{"content":"\xff\xfe"}]', 400),
    "deeply nested list": Bad(b"[" * 100_000, 400),
    "deeply nested objects": Bad(b'{"a":' * 40_000 + b"1" + b"}" * 40_000, 400),
    "nested just too deep": Bad(b"[" * 9 + b"{}" + b"]" * 9, 400),
    "number of endless digits": Bad(b"9" * 100_000, 400),
    "oversize": Bad(b'[{"content":"' + b"x" * 300_000 + b'"}]', 413),
    "too many items": Bad(b"[" + b",".join([b"{}"] * 1001) + b"]", 413),
    "packed bomb": Bad(gzip.compress(b"[" + b" " * 5_000_000 + b"]"), 400, {"Content-Encoding": "gzip"}),
    "packed wrongly": Bad(b"not gzip at all", 400, {"Content-Encoding": "gzip", "Connection": "close"}),
}
