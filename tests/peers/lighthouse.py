"""Lighthouse, a judge of pages, with Debian's Chromium: `make lighthouse` fetches it, by tools/lighthouse."""

import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from typing import Any

from tests.peers.browser import ChromiumMissingError
from tests.peers.preloaded import HOUSE

CATEGORIES = ("performance", "accessibility", "best-practices", "seo")
FLAGS = "--headless=new --no-sandbox --disable-gpu --disable-dev-shm-usage"
JUDGED_S = 120.0
PLACE = "tools/lighthouse"


class LighthouseMissingError(Exception):
    """It is not fetched: no other target needs it."""

    def __init__(self) -> None:
        super().__init__("Lighthouse is not here: make lighthouse fetches it, and runs these tests")


@dataclass(frozen=True)
class Verdict:
    """Of one page, opened once."""

    scores: dict[str, int]
    """By category, of 100."""
    lost: tuple[str, ...]
    """What took a score down, and what it measured there."""


def judge(address: str) -> Verdict:
    """As it judges unless told otherwise: a telephone of the middle price on slow 4G, reckoned from one visit."""
    chromium = shutil.which("chromium")
    if chromium is None:
        raise ChromiumMissingError
    if not (HOUSE / PLACE / "node_modules" / "lighthouse").is_dir():
        raise LighthouseMissingError
    asked = (address, "--quiet", "--output=json", "--no-enable-error-reporting", f"--chrome-flags={FLAGS}")
    # `tools/npm` works in web/.
    run = subprocess.run(
        [HOUSE / "tools/npm", "--prefix", f"../{PLACE}", "run", "--silent", "judge", "--", *asked],
        env={**os.environ, "CHROME_PATH": chromium},
        capture_output=True,
        timeout=JUDGED_S,
        check=True,
    )
    return _verdict(json.loads(run.stdout))


def _verdict(report: dict[str, Any]) -> Verdict:
    categories = {name: report["categories"][name] for name in CATEGORIES}
    weighed = {one["id"] for category in categories.values() for one in category["auditRefs"] if one["weight"]}
    lost = [one for one in report["audits"].values() if one["id"] in weighed and one["score"] not in {None, 1}]
    return Verdict(
        {name: round(100 * category["score"]) for name, category in categories.items()},
        tuple(f"{one['title']}: {one.get('displayValue', '')} ({one['score']})" for one in lost),
    )
