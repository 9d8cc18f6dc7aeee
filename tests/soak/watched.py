"""The process of `gateway.sound`, just as a gateway starts it, which tells besides how many tasks it has.

It is a program: its first argument is the product's own, its second the file that it writes when it gets SIGUSR1.
"""

import asyncio
import signal
import sys
from pathlib import Path

from gateway import sound


def tell(report: Path) -> None:
    """Between two turns of its loop."""
    draft = report.with_suffix(".draft")
    draft.write_text(str(len(asyncio.all_tasks())))
    draft.replace(report)


if __name__ == "__main__":
    signal.signal(signal.SIGUSR1, lambda *_: tell(Path(sys.argv[2])))
    sound.main()
