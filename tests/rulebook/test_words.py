"""Sensitive words and canned replies."""

import pytest

from rulebook.canned import Canned
from rulebook.document import read
from rulebook.errors import DocumentMalformed
from rulebook.words import Act, SensitiveWord, Words, Writer

WORDS = Words(
    words=(
        SensitiveWord(word="机密"),
        SensitiveWord(word="机密文件"),
        SensitiveWord(word="Fool", of=Writer.AGENT),
        SensitiveWord(word="a.b"),
        SensitiveWord(word="上访", act=Act.MARK),
        SensitiveWord(word="骂人", of=Writer.CITIZEN),
    )
)


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("这是机密文件。", "这是＊＊＊＊。"),
        ("机密机密", "＊＊＊＊"),
        ("a FOOL says", "a ＊＊＊＊ says"),
        ("a.b and aXb", "＊＊＊ and aXb"),
        ("上访的人", "上访的人"),
        ("市民骂人", "市民骂人"),
        ("", ""),
    ],
)
def test_what_we_write_is_veiled_for_citizens(written: str, shown: str) -> None:
    assert WORDS.veiled(written) == shown


def test_no_words_change_nothing() -> None:
    assert Words().veiled("机密") == "机密"


@pytest.mark.parametrize("body", ['{"words": [{"word": " x"}]}', '{"words": [{"word": "A"}, {"word": "a"}]}'])
def test_a_word_stands_once_and_can_be_seen(body: str) -> None:
    with pytest.raises(DocumentMalformed):
        read("words", Words, body)


@pytest.mark.parametrize(
    "reply",
    [
        '"word": "a b", "title": "t", "text": "x"',
        '"word": "a/b", "title": "t", "text": "x"',
        '"word": "a", "title": "t", "text": ""',
        '"word": "a", "title": "t", "text": "{weather}"',
        '"word": "a", "title": "t", "text": "{name"',
    ],
)
def test_a_bad_reply_is_refused(reply: str) -> None:
    with pytest.raises(DocumentMalformed) as refused:
        read("canned", Canned, f'{{"replies": [{{{reply}}}]}}')
    assert refused.value.at.startswith("$.replies[0]")


def test_a_reply_has_what_differs_filled_in_later() -> None:
    body = '{"replies": [{"word": "您好", "title": "t", "text": "{name} {number} {citizen} {queue} {date} {time}"}]}'
    assert read("canned", Canned, body).replies[0].word == "您好"
