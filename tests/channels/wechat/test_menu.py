"""The menu: what WeChat would refuse is refused here."""

import pytest

from channels.wechat.errors import MenuMalformed
from channels.wechat.menu import Button, Entry, Group, Link, hotline_menu, menu
from tests.channels.wechat.rig import ServingNode, World


async def test_the_hotlines_menu_is_set(world: World, here: ServingNode) -> None:
    await here.channel.set_menu(hotline_menu("human", "https://12345.example/"))
    assert world.api.menu == {
        "button": [
            {"type": "click", "name": "人工服务", "key": "human"},
            {"type": "view", "name": "网上12345", "url": "https://12345.example/"},
        ]
    }


def test_groups() -> None:
    whole = menu([Group("办事", (Button("查进度", "progress"), Link("指南", "https://x.example/")))])
    assert whole == {
        "button": [
            {
                "name": "办事",
                "sub_button": [
                    {"type": "click", "name": "查进度", "key": "progress"},
                    {"type": "view", "name": "指南", "url": "https://x.example/"},
                ],
            }
        ]
    }


@pytest.mark.parametrize(
    "entries",
    [
        [],
        [Button("a", "a")] * 4,
        [Button("", "a")],
        [Button("六个字的名字", "a")],
        [Button("a", "")],
        [Button("a", "键" * 43)],
        [Link("a", "javascript:alert(1)")],
        [Link("a", "https://x.example/" + "x" * 1024)],
        [Group("a", ())],
        [Group("a", (Button("b", "b"),) * 6)],
        [Group("a", (Button("字" * 21, "b"),))],
    ],
)
def test_what_wechat_would_refuse(entries: list[Entry]) -> None:
    with pytest.raises(MenuMalformed):
        menu(entries)
