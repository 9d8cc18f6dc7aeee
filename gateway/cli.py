"""The command line `yihao`."""

from __future__ import annotations

import argparse
import asyncio
import gc
import getpass
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from config.loading import load
from config.printing import effective
from config.settings import Settings
from session.errors import YihaoError

# Each command loads what it needs when it runs: the whole house takes over a second, and a mistyped setting is told
# before that.


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command. 0 done, 1 refused or failed, 2 not understood."""
    words = list(sys.argv[1:] if argv is None else argv)
    if words[:1] in (["dial"], ["probe"]):
        return _become(words[0], words[1:])  # all that follows is its own, its --help too
    arguments = _parser().parse_args(words)
    try:
        settings = load(file=getattr(arguments, "config", None), arguments=_sets(arguments))
        return int(arguments.run(settings, arguments))
    except YihaoError as error:
        print(f"yihao: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="yihao", description="一号: one public number, many ways in.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    starting = commands.add_parser("up", parents=[_common()], help="start the gateway")
    starting.add_argument("--ready-json", action="store_true", help="print one JSON line once it serves")
    starting.set_defaults(run=_up)

    people = commands.add_parser("agents", parents=[_common()], help="the people who answer")
    acts = people.add_subparsers(dest="act", required=True, metavar="add|list|passwd")
    adding = acts.add_parser(
        "add", parents=[_common("inner_sets")], help="add an agent; prints the generated passwords once"
    )
    adding.add_argument("login")
    adding.add_argument("--name", default="")
    adding.add_argument("--extension", help="of their telephone; default: the login, where it is a number")
    adding.add_argument("--role", default="agent", help="agent, supervisor, administrator, or one of your own")
    adding.add_argument("--queue", action="append", default=[], help="may be repeated; default: general")
    adding.add_argument("--skill", action="append", default=[], metavar="NAME=LEVEL", help="may be repeated")
    acts.add_parser("list", parents=[_common("inner_sets")], help="list the agents")
    changing = acts.add_parser(
        "passwd", parents=[_common("inner_sets")], help="set an agent's password (asked for, or standard input)"
    )
    changing.add_argument("login")
    people.set_defaults(run=_agents)

    tracing = commands.add_parser("calls", parents=[_common()], help="what happened in a call, message by message")
    looks = tracing.add_subparsers(dest="act", required=True, metavar="list|show|capture")
    looks.add_parser("list", parents=[_common("inner_sets")], help="the last calls of this machine")
    showing = looks.add_parser("show", parents=[_common("inner_sets")], help="the ladder of a call, or of a session's")
    showing.add_argument("call")
    saving = looks.add_parser(
        "capture", parents=[_common("inner_sets")], help="save a call's packets, where sip.captures was on"
    )
    saving.add_argument("call")
    saving.add_argument("file", type=Path)
    tracing.set_defaults(run=_calls)

    _add_prompts(commands)
    _add_rules(commands)

    commands.add_parser("dial", add_help=False, help="call the number from this terminal")
    commands.add_parser("probe", add_help=False, help="dial the number again and again, and alarm when it is down")
    living = commands.add_parser("demo", parents=[_common()], help="bring a city alive around a running gateway")
    living.add_argument("--http", default="", help="its web address (default: as the settings say)")
    living.add_argument("--sip", default="", help="where its SIP listens, host:port (default: as the settings say)")
    living.add_argument("--seconds", type=float, default=3600.0, help="how long")
    living.add_argument("--haste", type=float, default=1.0, help="2 lets everybody live twice as fast")
    living.set_defaults(run=_demo)
    counting = commands.add_parser(
        "figures", parents=[_common()], help="the wallboard's figures, recounted from the log"
    )
    counting.add_argument("--day", default="", help="of that day of the city, as 2026-11-28, not of the sliding one")
    counting.set_defaults(run=_figures)
    showing = commands.add_parser("menu", parents=[_common()], help="show citizens the hotline's menu in its accounts")
    showing.add_argument("page", help="the address of the page that it opens, https://…")
    showing.set_defaults(run=_menu)
    looking = commands.add_parser("doctor", parents=[_common()], help="what is missing or unsafe here, and the mend")
    looking.set_defaults(run=_doctor)
    printing = commands.add_parser("config", parents=[_common()], help="print the configuration in force")
    printing.set_defaults(run=_config)
    return parser


def _add_prompts(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    speaking = commands.add_parser("prompts", parents=[_common()], help="the announcements and music that callers hear")
    speeches = speaking.add_subparsers(dest="act", required=True, metavar="add|list|remove")
    placing = speeches.add_parser("add", parents=[_common("inner_sets")], help="put a sound of yours in place of one")
    placing.add_argument("name")
    placing.add_argument("file", type=Path, help="WAV, MP3, FLAC, Ogg, AAC, M4A, AMR, AIFF, WMA, …")
    speeches.add_parser("list", parents=[_common("inner_sets")], help="all of them, and whose is heard")
    removing = speeches.add_parser(
        "remove", parents=[_common("inner_sets")], help="let the product's own be heard again"
    )
    removing.add_argument("name")
    speaking.set_defaults(run=_prompts)


def _add_rules(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    ruling = commands.add_parser(
        "rules", parents=[_common()], help="hours, queues, canned replies, sensitive words, agents: as files, and back"
    )
    acts = ruling.add_subparsers(dest="act", required=True, metavar="export|import|history|rollback")
    exporting = acts.add_parser("export", parents=[_common("inner_sets")], help="write what is in force, a file a kind")
    exporting.add_argument("folder", type=Path)
    importing = acts.add_parser("import", parents=[_common("inner_sets")], help="show what the files would change")
    importing.add_argument("folder", type=Path)
    importing.add_argument("--yes", action="store_true", help="and put it in force")
    importing.add_argument("--why", default="imported", help="for the history")
    looking = acts.add_parser("history", parents=[_common("inner_sets")], help="the versions of a kind")
    looking.add_argument("kind")
    going = acts.add_parser("rollback", parents=[_common("inner_sets")], help="put an earlier version in force again")
    going.add_argument("kind")
    going.add_argument("version", type=int)
    going.add_argument("--why", default="rolled back", help="for the history")
    ruling.set_defaults(run=_rules)


def _common(sets: str = "sets") -> argparse.ArgumentParser:
    """Flags of every command. Suppressed defaults let them stand before or behind a subcommand.

    A subcommand's list would put the command's out of the way, so it has another name.
    """
    common = argparse.ArgumentParser(add_help=False, argument_default=argparse.SUPPRESS)
    common.add_argument("--config", type=Path, help="a file of settings (default: yihao.toml in the data folder)")
    common.add_argument("--data", help="the data folder")
    common.add_argument("--set", action="append", dest=sets, metavar="SECTION.KEY=VALUE", help="may be repeated")
    return common


def _sets(arguments: argparse.Namespace) -> list[str]:
    sets = [*getattr(arguments, "sets", []), *getattr(arguments, "inner_sets", [])]
    if hasattr(arguments, "data"):
        sets.append(f"data={arguments.data}")
    return sets


def _become(what: str, rest: list[str]) -> int:
    """In a process of its own, which replaces this one: pyVoIP is GPL-3 and is never loaded beside our code."""
    os.execv(sys.executable, [sys.executable, "-m", f"gateway.{what}", *rest])  # noqa: S606 - our own module


def _up(settings: Settings, arguments: argparse.Namespace) -> int:
    gc.disable()  # until all stands (`process.collect_seldom`): nothing of what a start loads is garbage
    import uvloop

    from gateway import up

    return uvloop.run(up.serve(settings, ready_json=arguments.ready_json))


def _agents(settings: Settings, arguments: argparse.Namespace) -> int:
    from gateway import agents

    match arguments.act:
        case "add":
            wanted = agents.Wanted(
                login=arguments.login,
                name=arguments.name or arguments.login,
                extension=arguments.extension or (arguments.login if arguments.login.isdecimal() else None),
                role=arguments.role,
                queues=tuple(arguments.queue) or ("general",),
                skills=tuple(arguments.skill),
            )
            print(asyncio.run(agents.add(settings, wanted)))
        case "list":
            print(asyncio.run(agents.listed(settings)))
        case _:
            password = getpass.getpass("new password: ") if sys.stdin.isatty() else sys.stdin.readline().rstrip("\n")
            print(asyncio.run(agents.set_password(settings, arguments.login, password)))
    return 0


def _calls(settings: Settings, arguments: argparse.Namespace) -> int:
    from gateway import calls

    match arguments.act:
        case "list":
            print(calls.listed(settings))
        case "show":
            print(calls.shown(settings, arguments.call), end="")
        case _:
            print(calls.save_capture(settings, arguments.call, arguments.file))
    return 0


def _prompts(settings: Settings, arguments: argparse.Namespace) -> int:
    from gateway import prompts

    match arguments.act:
        case "add":
            print(asyncio.run(prompts.added(settings, arguments.name, arguments.file)))
        case "list":
            print(asyncio.run(prompts.listed(settings)))
        case _:
            print(asyncio.run(prompts.removed(settings, arguments.name)))
    return 0


def _rules(settings: Settings, arguments: argparse.Namespace) -> int:
    from gateway import rules

    match arguments.act:
        case "export":
            print(asyncio.run(rules.exported(settings, arguments.folder)))
        case "import":
            work = rules.imported(settings, arguments.folder, why=arguments.why, really=arguments.yes)
            print(asyncio.run(work))
        case "history":
            print(asyncio.run(rules.history(settings, arguments.kind)))
        case _:
            work = rules.rolled_back(settings, arguments.kind, arguments.version, why=arguments.why)
            print(asyncio.run(work))
    return 0


def _demo(settings: Settings, arguments: argparse.Namespace) -> int:
    import uvloop

    from gateway.demo import city
    from gateway.demo.pace import Pace

    town = city.Town.of(settings, arguments.http, arguments.sip)
    pace = Pace(haste=min(max(arguments.haste, 0.1), 20.0))
    count = uvloop.run(city.live(town, pace, arguments.seconds, lambda line: print(line, flush=True)))
    print(f"  {count.line()}")
    return 0


def _figures(settings: Settings, arguments: argparse.Namespace) -> int:
    """1 where the board and the log disagree."""
    from gateway import figures
    from gateway.past import midnight_of

    day = midnight_of(arguments.day)
    if arguments.day and day is None:
        print(f"yihao: {arguments.day!r} is no day; write it as 2026-11-28", file=sys.stderr)
        return 2
    lines, agree = asyncio.run(figures.told(settings, day))
    print(lines)
    if not agree:
        print("yihao: the sessions' rows and the events disagree", file=sys.stderr)
    return 0 if agree else 1


def _menu(settings: Settings, arguments: argparse.Namespace) -> int:
    from gateway import menu

    for section in asyncio.run(menu.set_menus(settings, arguments.page)):
        print(f"{section}: set; followers see it within a day, or when they follow anew")
    return 0


def _doctor(settings: Settings, arguments: argparse.Namespace) -> int:
    from gateway import doctor

    del arguments
    findings = [*doctor.examine(settings), asyncio.run(doctor.examine_store(settings))]
    for finding in findings:
        mend = f" → {finding.mend}" if finding.mend else ""
        print(f"{finding.grade.upper():8}{finding.what}{mend}")
    return 1 if any(finding.grade is doctor.Grade.FAULT for finding in findings) else 0


def _config(settings: Settings, arguments: argparse.Namespace) -> int:
    del arguments
    print(effective(settings), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
