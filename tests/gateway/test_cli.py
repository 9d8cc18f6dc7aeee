"""The command line, as it is typed."""

import asyncio
import io
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from gateway.cli import main
from tests.peers.wechat import WeChatApi, serving

URL = "redis://user:hunter2-secret@store:6379/0"


def _said(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = main(list(words))
    said = capsys.readouterr()
    return code, said.out, said.err


def test_an_agent_is_added_listed_and_given_a_password(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    data = ("--data", str(tmp_path))
    add = ("agents", "add", "8009", *data, "--name", "赵六", "--queue", "general")
    code, out, err = _said(capsys, *add, "--skill", "english=5")
    assert (code, err) == (0, "")
    told = dict(re.findall(r"^(\S.*?)  +(\S+)$", out, re.MULTILINE))
    assert (told["login"], told["extension"]) == ("8009", "8009")
    assert len(told["password"]) == len(told["SIP password"]) == 14
    code, out, _ = _said(capsys, "agents", "list", *data)
    assert code == 0
    assert out.splitlines()[1].split() == ["8009", "8009", "agent", "general", "赵六"]
    assert told["password"] not in out
    monkeypatch.setattr("sys.stdin", io.StringIO("a new long password\n"))
    code, out, _ = _said(capsys, "agents", "passwd", "8009", *data)
    assert code == 0
    assert "a new long password" not in out
    for words in (("agents", "passwd", "nobody", *data), add):
        monkeypatch.setattr("sys.stdin", io.StringIO("a new long password\n"))
        code, out, err = _said(capsys, *words)
        assert (code, out) == (1, "")
        assert err.startswith("yihao: ")


def test_who_works_without_a_telephone_has_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = _said(capsys, "agents", "add", "anna", "--data", str(tmp_path), "--role", "supervisor")
    assert code == 0
    assert "SIP" not in out
    _, out, _ = _said(capsys, "agents", "list", "--data", str(tmp_path))
    assert out.splitlines()[1].split() == ["anna", "-", "supervisor", "general", "anna"]


@pytest.mark.parametrize(
    "words",
    [
        ("add", "Anna"),
        ("add", "anna", "--extension", "12a"),
        ("add", "anna", "--skill", "english"),
        ("add", "anna", "--skill", "english=eleven"),
        ("add", "anna", "--skill", "english=11"),
        ("add", "anna", "--queue", "two words"),
        ("add", "anna", "--queue", "general", "--queue", "genral"),
        ("add", "anna", "--skill", "french=3"),
    ],
)
def test_an_agent_that_cannot_be_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...]
) -> None:
    code, out, err = _said(capsys, "agents", *words, "--data", str(tmp_path))
    assert (code, out) == (1, "")
    assert err.startswith("yihao: ")
    assert "Traceback" not in err


def test_a_password_that_is_too_short_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert _said(capsys, "agents", "add", "8009", "--data", str(tmp_path))[0] == 0
    monkeypatch.setattr("sys.stdin", io.StringIO("short\n"))
    code, _, err = _said(capsys, "agents", "passwd", "8009", "--data", str(tmp_path))
    assert code == 1
    assert "short" not in err


def test_the_configuration_hides_secrets(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    key = "k" * 40
    sets = ("--set", f"store.url={URL}", "--set", f"secrets.pepper={key}", "--set", "http.port=9999")
    code, out, _ = _said(capsys, "config", "--data", str(tmp_path), *sets)
    assert code == 0
    whole = tomllib.loads(out)
    assert whole["http"]["port"] == 9999
    assert "hunter2" not in out
    assert key not in out
    assert "store:6379" in whole["store"]["url"], "where it is may be seen"


def test_an_unknown_key_stops_and_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "yihao.toml").write_text("[sip]\nprot = 5070\n")
    for words in (
        ("config", "--data", str(tmp_path)),
        ("up", "--data", str(tmp_path)),
        ("doctor", "--set", "sip.prot=5070"),
        ("agents", "list", "--set", "sip.prot=5070"),
    ):
        code, out, err = _said(capsys, *words)
        assert (code, out) == (1, "")
        assert "sip.prot" in err
        assert "sip.port" in err, "and what was meant"


def test_a_bad_value_stops_and_is_not_repeated(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = _said(capsys, "config", "--data", str(tmp_path), "--set", "agents.offer_lease_s=20min")
    assert code == 1
    assert "agents.offer_lease_s" in err
    assert "20min" not in err


def test_flags_stand_before_and_behind(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _said(capsys, "agents", "--data", str(tmp_path), "add", "8009")[0] == 0
    _, out, _ = _said(capsys, "agents", "list", "--data", str(tmp_path))
    assert "8009" in out
    code, _, err = _said(
        capsys, "agents", "--set", "sip.prot=1", "list", "--set", "http.port=1", "--data", str(tmp_path)
    )
    assert (code, "sip.prot" in err) == (1, True), "none of several is lost"


@pytest.mark.parametrize("words", [(), ("fly",), ("agents",), ("agents", "add"), ("up", "--fast")])
def test_what_is_not_understood(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(list(words))
    assert ended.value.code == 2
    assert "usage: yihao" in capsys.readouterr().err


def test_the_dialler_answers_for_its_own_help() -> None:
    done = subprocess.run([sys.executable, "-m", "gateway.cli", "dial", "--help"], capture_output=True, text=True)
    assert (done.returncode, "--server" in done.stdout) == (0, True)


async def test_the_menu_is_set_where_an_account_has_one(tmp_path: Path) -> None:
    """Beside a gateway that runs, by a process of its own."""
    api = WeChatApi("wx1", "an-app-secret")
    async with serving(api.app()) as base:
        sets = ("wechat.appid=wx1", "wechat.secret=an-app-secret", "wechat.token=t", f"wechat.api={base}")
        words = ["menu", "https://12345.example.cn/", "--data", str(tmp_path)]
        for one in sets:
            words += ["--set", one]
        assert await asyncio.to_thread(main, words) == 0
    assert api.menu == {
        "button": [
            {"type": "click", "name": "人工服务", "key": "human"},
            {"type": "view", "name": "网上12345", "url": "https://12345.example.cn/"},
        ]
    }
    assert api.forced == []


def test_without_an_account_there_is_no_menu(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = _said(capsys, "menu", "https://12345.example.cn/", "--data", str(tmp_path))
    assert code == 1
    assert "docs/channels.md" in err
