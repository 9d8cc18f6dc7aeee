"""sipp, from Debian: an independent caller and an independent telephone. Missing, it fails the test."""

import asyncio
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Outcome:
    code: int
    output: str


async def run_sipp(*arguments: str, folder: Path, within_s: float = 30.0) -> Outcome:
    """Run a scenario to its end; sipp's own verdict is its exit code."""
    process = await asyncio.create_subprocess_exec(
        "sipp",
        *arguments,
        "-i",
        "127.0.0.1",
        "-nostdin",
        "-max_socket",
        "500",
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        cwd=folder,
    )
    try:
        async with asyncio.timeout(within_s):
            output, _ = await process.communicate()
    except TimeoutError:
        process.kill()
        output, _ = await process.communicate()
    return Outcome(process.returncode or 0, output.decode("utf-8", "replace")[-2000:])
