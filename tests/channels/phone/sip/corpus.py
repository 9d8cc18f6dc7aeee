"""The RFCs' own torture messages, read from the folder that YIHAO_SIP_CORPUS names; they are not in this repository."""

import csv
import os
import re
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Torture:
    name: str
    wire: bytes
    is_asserted: bool
    """False for the one file that no section of the RFC refers to."""
    answers: tuple[int, ...]
    """Allowed statuses, 100 for "read and handed on"; empty for silence."""


def corpus() -> list[Torture]:
    root = os.environ.get("YIHAO_SIP_CORPUS")
    if not root:
        return []
    found = []
    for folder in ("rfc4475", "rfc5118"):
        with (Path(root) / folder / "expected.tsv").open(encoding="utf-8", newline="") as table:
            for row in csv.DictReader(table, delimiter="\t"):
                data = (Path(root) / folder / row["file"]).read_bytes()
                if folder == "rfc5118":
                    data = as_sent(data)
                found.append(Torture(row["file"], data, row["section"] != "-", _answers(row)))
    return found


def as_sent(data: bytes) -> bytes:
    """RFC 5118's archive has bare line feeds, lacks an empty line twice, and once states a length 17 too large."""
    data = data.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    if b"\r\n\r\n" not in data:
        data += b"\r\n"
    head, _, body = data.partition(b"\r\n\r\n")
    stated = re.search(rb"Content-Length: (\d+)", head)
    if stated and int(stated[1]) > len(body):
        head = head.replace(stated[0], b"Content-Length: %d" % len(body))
    return head + b"\r\n\r\n" + body


def _answers(row: dict[str, str]) -> tuple[int, ...]:
    text = row["uas_response"] or "normal"
    if row.get("class") in {"response", "discard"}:
        return ()
    statuses = tuple(int(number) for number in re.findall(r"\b[245]\d\d\b", text))
    handed_on = (100,) if re.search(r"normal|1xx|2xx|\b200\b|\b401\b", text) else ()
    return (*handed_on, *statuses)
