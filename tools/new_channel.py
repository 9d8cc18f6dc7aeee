"""Begin a channel: its folder, its section in the configuration, and its mirrored tests, from tools/channel-template.

    make channel NAME=parcels

What is made works at once: it speaks a tiny protocol over HTTP, passes the contract's suite, and opens once its section
is filled in. docs/add-a-channel.md says what to change, and in which order.
"""

import re
import shutil
import subprocess
import sys
from pathlib import Path

HOUSE = Path(__file__).parent.parent
TEMPLATE = HOUSE / "tools" / "channel-template"
PLACEHOLDER = "postbox"
NAME = re.compile(r"[a-z][a-z0-9]{1,19}\Z")
BEFORE_FIELD = "    recordings: Recordings\n"
BEFORE_CLASS = "@dataclass(frozen=True, slots=True)\nclass Recordings:\n"
BEFORE_SECTION = "[recordings]\n"


class Refused(Exception):
    """What was asked cannot be begun; the sentence says why."""


def begin(name: str, house: Path = HOUSE) -> list[Path]:
    """Make the channel in a house; gives what was made or changed. Raises `Refused`, and then has changed nothing."""
    folder, tests = house / "channels" / name, house / "tests" / "channels" / name
    settings, defaults = house / "config" / "settings.py", house / "config" / "default.toml"
    if not NAME.match(name) or name == PLACEHOLDER:
        raise Refused(f"{name!r} is no name for a channel: 2 to 20 of a-z and 0-9, a letter first")
    if folder.exists() or tests.exists() or f"\n    {name}: " in settings.read_text():
        raise Refused(f"{name} is taken")
    section = _named((TEMPLATE / "section.py").read_text(), name)
    changed = {
        settings: _before(
            _before(settings.read_text(), BEFORE_CLASS, section), BEFORE_FIELD, f"    {name}: {name.capitalize()}\n"
        ),
        defaults: _before(defaults.read_text(), BEFORE_SECTION, _named((TEMPLATE / "section.toml").read_text(), name)),
    }
    for copy, source in ((folder, TEMPLATE / "channel"), (tests, TEMPLATE / "tests")):
        shutil.copytree(source, copy, ignore=shutil.ignore_patterns("__pycache__"))
        for file in sorted(copy.rglob("*.py")):
            file.write_text(_named(file.read_text(), name))
            file.rename(file.with_name(_named(file.name, name)))
    for file, text in changed.items():
        file.write_text(text)
    made = [folder, tests, *changed]
    for ruff in (("check", "--fix-only", "--quiet"), ("format", "--quiet")):  # a name has its place among imports
        subprocess.run([sys.executable, "-m", "ruff", *ruff, *made], cwd=house, check=True)
    return made


def _named(text: str, name: str) -> str:
    return text.replace(PLACEHOLDER, name).replace(PLACEHOLDER.capitalize(), name.capitalize())


def _before(text: str, mark: str, added: str) -> str:
    """The text with something put before a mark that stands in it once."""
    if text.count(mark) != 1:
        raise Refused(f"{mark.strip()!r} does not stand once where it should: put the section in by hand")
    return text.replace(mark, added + mark)


def main(arguments: list[str]) -> int:
    """Of the command line."""
    if len(arguments) != 1:
        print("make channel NAME=…", file=sys.stderr)
        return 2
    (name,) = arguments
    try:
        made = begin(name)
    except Refused as refused:
        print(refused, file=sys.stderr)
        return 1
    for path in made:
        print(path.relative_to(HOUSE))
    print(f'next: make test ARGS="tests/channels/test_contract.py tests/channels/{name}", and docs/add-a-channel.md')
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
