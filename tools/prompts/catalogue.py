"""What the hotline says: each announcement, and the pieces that "您排在第 23 位" is joined from.

Every name is the stem of a WAV file in `media/prompts/zh`.
"""

from __future__ import annotations

from dataclasses import dataclass

ANNOUNCEMENT_SPEED = 0.92  # 1.0, the voice's own pace, is brisk for an elderly caller on a poor line

ANNOUNCEMENTS: dict[str, str] = {
    "welcome": "您好，这里是一二三四五政务服务便民热线，正在为您转接人工话务员。",
    "recording_notice": "为保证服务质量，本次通话将被录音。",
    "wait_short": "预计很快为您接通。",
    "keep_waiting": "话务员正忙，请您不要挂机，我们会尽快为您接通。",
    "out_of_hours": "现在是非工作时间，您的来电我们已经记录，请稍后再拨。",
    "store_down": "您好，您的来电已经接通，系统正在恢复，请不要挂机。",
    "apology": "非常抱歉，暂时无法为您接通，我们会尽快给您回电。",
    "callback_promised": "我们会尽快给您回电，请保持电话畅通。",
    "goodbye": "感谢您的来电，再见。",
    "all_busy": "目前来电较多，请您耐心等候。",
    "keep_place": "如果您不想在电话里等候，请按一，我们会保留您的位置，您可以改用微信或短信继续。",
    "place_kept": "您的位置已经保留，链接已经发到您的手机上，您现在可以挂机了。",
    "link_failed": "很抱歉，链接没有发出去，请您继续等候。",
    "citizen_dropped": "市民的通话已经中断，回拨后会重新为您接通。",
    "hotline": "您好，这里是一二三四五政务服务便民热线。",
    "line_full": "目前来电很多，暂时无法为您接通。",
    "too_often": "您的来电过于频繁，为了让其他市民也能打进来，请稍后再拨。",
    "way_link": "如需通过短信链接继续，请按一。",
    "way_call_back": "如需我们给您回电，请按二。",
    "way_message": "如需留言，请按三。",
    "leave_message": "请在提示音后留言，说完后请按井号键，或者直接挂机。",
    "message_taken": "您的留言已经收到，我们会尽快处理。",
    "message_empty": "没有听到您的留言。",
    "link_sent": "链接已经发到您的手机上，您现在可以挂机了。",
    "way_failed": "很抱歉，链接没有发出去，请您选择其他方式。",
}


@dataclass(frozen=True, slots=True)
class Piece:
    """A few syllables spoken inside a sentence and cut out of it.

    A syllable given to the synthesiser alone loses its tone: all of them come out with one and the same
    rise and fall. Inside a sentence the tone, the pace and the pitch of running speech are kept.
    """

    text: str
    before: str
    after: str
    speed: float

    @property
    def sentence(self) -> str:
        """What is spoken."""
        return f"{self.before}{self.text}{self.after}"

    @property
    def span(self) -> tuple[int, int]:
        """First character of the piece in `sentence`, and the one after its last."""
        return len(self.before), len(self.before) + len(self.text)


def _head(text: str) -> Piece:
    """Opens an announcement; the closed lips of 八 make a clean place to cut."""
    return Piece(text, before="您好，", after="八位。", speed=ANNOUNCEMENT_SPEED)


def _middle(text: str) -> Piece:
    """A numeral: the voice pauses before it, and the d- of 多 closes it; faster, it is under 0.2 s."""
    return Piece(text, before=_LEAD, after="，多谢您。", speed=0.65)


def _tail(text: str) -> Piece:
    """Ends an announcement."""
    return Piece(text, before=_LEAD, after="。", speed=0.85)


_LEAD = "请您记下来这个号码，"  # long enough for a true pause at its comma

PIECES: dict[str, Piece] = {
    "position_head": _head("您排在第"),
    "position_tail": _tail("位"),
    "wait_head": _head("预计等待"),
    "minutes_tail": _tail("分钟"),
    "agent_head": _head("工号"),
    "agent_tail": _tail("为您服务"),
    **{f"n{digit}": _middle(word) for digit, word in enumerate("零一二三四五六七八九十")},
    "n100": _middle("百"),
    "n1000": _middle("千"),
    "liang": _middle("两"),
    "yao": _middle("幺"),
}
