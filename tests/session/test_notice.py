"""The words of notices."""

import pytest

from session.notice import Template, rendered

WORDS = {"link": "点此继续：{url}", "plain": "请回电12345"}


@pytest.mark.parametrize(
    ("template", "text"),
    [
        (Template("link", {"url": "例.cn/a", "what": "left out"}), "点此继续：例.cn/a"),
        (Template("link", {"url": "{url}{0.__class__}"}), "点此继续：{url}{0.__class__}"),
        (Template("plain"), "请回电12345"),
        (Template("link"), None),
        (Template("none", {"url": "x"}), None),
    ],
)
def test_words_are_filled_and_nothing_else(template: Template, text: str | None) -> None:
    assert rendered(WORDS, template) == text
