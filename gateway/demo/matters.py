"""What the citizens of the demonstration bring, and how it ends: one of each of the five kinds (五类) and some more."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Matter:
    """One citizen's matter, from the first word to the write-up."""

    kind: str
    words: tuple[str, ...]
    """What the citizen writes, each after an answer."""
    answers: tuple[str, ...]
    note: str


MATTERS = (
    Matter(
        "咨询",
        ("请问居住证到期了怎么续签？", "需要本人去吗？", "好的，谢谢。"),
        ("您好，请在到期前 30 日内办理续签。", "可以在网上办，也可以由家人带材料到派出所办理。"),
        "已告知居住证续签的时限和两种办理方式。",
    ),
    Matter(
        "求助",
        ("人民路 18 号院门口的路灯不亮了，晚上很黑。", "一共三盏。", "麻烦尽快，谢谢！"),
        ("您好，请问一共几盏不亮？", "已经记下，马上转路灯管理所，今晚会有人到场。"),
        "人民路 18 号院门口三盏路灯不亮，已转路灯管理所。",
    ),
    Matter(
        "投诉",
        ("楼下工地半夜还在施工，吵得孩子睡不着。", "建设路和平安街路口。", "好，等你们消息。"),
        ("您好，请问工地在什么位置？", "已派单城管执法，要求夜间停工，结果会回复您。"),
        "建设路平安街路口工地夜间施工扰民，已派单城管执法。",
    ),
    Matter(
        "举报",
        ("有人在护城河边偷倒建筑垃圾，卡车刚走。", "往东门方向去了。", "不用公开我的名字。"),
        ("您好，请问车往哪个方向走了？", "已转生态环境部门核查，您的信息会严格保密。"),
        "护城河东段偷倒建筑垃圾，已转生态环境部门，来电人要求保密。",
    ),
    Matter(
        "建议",
        ("建议把 8 路公交的末班车延后半小时，下夜班赶不上。", "希望能考虑一下。"),
        ("您好，您的建议已经记下，会转交通部门研究。",),
        "建议 8 路公交末班延后半小时，已转交通部门研究。",
    ),
    Matter(
        "求助",
        ("小区从早上停水到现在，什么时候来水？", "幸福里小区，全部都停了。", "知道了。"),
        ("您好，请问是哪个小区？", "该片区主管道抢修，预计今晚八点恢复供水。"),
        "幸福里小区停水，主管道抢修，已告知预计 20 时恢复。",
    ),
)
