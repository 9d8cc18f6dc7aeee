"""The bytes that other processes and every log already written hold us to.

`python -m tests.session.golden` writes files for tags that have none. A file that is there is never changed: a
value that must look different gets a new tag, or a new wire version.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from session import effects as ef
from session.address import Address
from session.audio import Announcement
from session.codec import EFFECTS, EVENTS, SNAPSHOT, encode_effect, encode_event, encode_session
from session.ids import LegId, MessageId, RecordingId
from session.machine import replay
from session.state import Conference, LegEnd, Supervision
from session.switch import Purpose
from session.ways import Way
from tests.session.script import AGENT_CALL, CALL, CHAT, LI, SESSION, START, WANG
from tests.session.stories import STORIES, every_kind, stamped

FOLDER = Path(__file__).with_name("golden")

EFFECT_SAMPLES: Mapping[type[ef.LegEffect], ef.LegEffect] = {
    type(one): one
    for one in (
        ef.Play(CALL, (Announcement("welcome"), Announcement("position", (3,)))),
        ef.AnnouncePlace(CALL),
        ef.OfferWays(CALL, (Announcement("out_of_hours"),), tuple(Way)),
        ef.TakeMessage(CALL, RecordingId("01J0-4"), 120.0),
        ef.LetGo(CALL, (Announcement("goodbye"),)),
        ef.Ring(CALL, WANG, 1, START + 20),
        ef.StopRinging(CALL, WANG, 1),
        ef.Dial(LegId("dial-1"), WANG, 45.0),
        ef.Join(CALL, AGENT_CALL, RecordingId("01J0-6")),
        ef.Hold(CALL, held=True),
        ef.Mute(CALL, muted=True),
        ef.Press(CALL, "12#", 14),
        ef.Supervise(CALL, WANG, Supervision.WHISPER, 15),
        ef.CallThird(CALL, WANG, (LI,), Address("tel", "110"), 16),
        ef.Confer(CALL, Conference.TOGETHER, 17),
        ef.Deliver(CHAT, MessageId("m2")),
        ef.CloseLeg(CALL, LegEnd.CLOSED),
        ef.SendLink(Purpose.SWITCH),
    )
}
SNAPSHOT_SAMPLE = replace(replay(SESSION, stamped(STORIES["chat cut and back"][:7])), granted=0)
"""As it was written when a session did not yet know which offer its assignee had accepted."""


def samples() -> Mapping[str, bytes]:
    """One value of each tag, as it is written today."""
    events = every_kind()
    return {
        **{tag: encode_event(events[kind]) for tag, kind in EVENTS.items()},
        **{tag: encode_effect(EFFECT_SAMPLES[kind]) for tag, kind in EFFECTS.items()},
        SNAPSHOT: encode_session(SNAPSHOT_SAMPLE),
    }


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for tag, data in samples().items():
        path = FOLDER / f"{tag}.hex"
        if not path.exists():
            path.write_text(data.hex() + "\n")
