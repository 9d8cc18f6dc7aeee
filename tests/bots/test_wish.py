"""Who asks for a human, and who only speaks of one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bots.wish import says_goodbye, wants_human

ASKING = [
    *[
        "人工",
        "转人工",
        "人工客服",
        "人工服务",
        " 人 工 ",
        "人工！！！",
        "“人工”",
        "【人工】",
        "人工。",
        "人工~",
        "我要人工",
        "我想转人工客服",
        "请帮我转接人工",
    ],
    *[
        "麻烦转一下人工，谢谢",
        "有人工吗",
        "能不能转人工",
        "你好，转人工",
        "人工人工人工",
        "找人工客服",
        "我要找真人",
        "转真人",
        "人工在吗？",
    ],
    *[
        "直接转人工吧",
        "人\u3000工",
        "ｈｕｍａｎ",
        "human",
        "Human",
        "HUMAN!",
        "agent",
        "an agent please",
        "I want to talk to a human",
    ],
    *["real person", "talk to a representative", "operator", "Can I speak with a real person, please?"],
    "connect me to an agent.",
]
NOT_ASKING = [
    *[
        "",
        " ",
        "人",
        "工人",
        "人工智能是什么",
        "人工湖的水很脏",
        "人工费太高",
        "人工增雨",
        "不要人工",
        "不用转人工",
        "我不需要人工客服",
        "工资拖欠",
        "人民路",
    ],
    *[
        "人工客服态度很差",
        "昨天人工说今天修，人工没来",
        "the travel agent cheated me",
        "human rights",
        "no human",
        "not an agent",
    ],
    *["hello", "please", "i want", "person under age working"],
    "人工" * 40,
]


@pytest.mark.parametrize("text", ASKING)
def test_these_ask(text: str) -> None:
    assert wants_human(text)


@pytest.mark.parametrize("text", NOT_ASKING)
def test_these_do_not(text: str) -> None:
    assert not wants_human(text)


@given(
    text=st.sampled_from(["人工", "转人工", "我要人工客服", "human", "agent"]),
    noise=st.lists(st.tuples(st.integers(0, 20), st.sampled_from(" \t\n　，。！？,.!?~…-—“”（）")), max_size=10),
)
def test_spaces_and_punctuation_around_do_not_matter(text: str, noise: list[tuple[int, str]]) -> None:
    spoiled = text
    for place, mark in noise:
        at = place % (len(spoiled) + 1)
        at = at if not text.isascii() else (0 if at < len(spoiled) / 2 else len(spoiled))
        spoiled = spoiled[:at] + mark + spoiled[at:]
    assert wants_human(spoiled)


@given(text=st.text(max_size=200))
def test_any_text_is_answered_at_once(text: str) -> None:
    assert wants_human(text) in (True, False)
    assert says_goodbye(text) in (True, False)


def test_a_long_run_of_fillers_takes_no_time() -> None:
    """An expression that tries every way would take longer than the test may."""
    for text in (
        "你好" * 29 + "x",
        "能不能" * 19 + "x",
        "我要找" * 20,
        "人工" + "吧啊呀呢" * 14 + "x",
        "好的请帮我想要" * 8 + "x",
    ):
        wants_human(text[:60])


@pytest.mark.parametrize("text", ["再见", "好的，谢谢，再见！", "没有了", "bye", "Goodbye!", "结束"])
def test_these_say_goodbye(text: str) -> None:
    assert says_goodbye(text)


@pytest.mark.parametrize("text", ["什么时候结束", "谢谢", "再见不到他了", "the end of the road", ""])
def test_these_go_on(text: str) -> None:
    assert not says_goodbye(text)
