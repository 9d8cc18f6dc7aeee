"""What is lost on the way is made up for so that speech is understood better than with gaps, however much is lost."""

import pytest

from benchmarks.concealment import RATE, STEPS, losses, speech, stoi, through
from media.g711 import FRAME_SAMPLES

HEARD_S = 12


@pytest.mark.parametrize("percent", [percent for percent in STEPS if percent])
def test_speech_is_understood_better_than_with_silence_in_the_gaps(percent: int) -> None:
    """By STOI, for Mandarin."""
    sound = speech()[: HEARD_S * RATE]
    lost = losses(len(sound) // FRAME_SAMPLES, percent, seed=1)
    assert lost.any()
    concealed, silent = (stoi(sound, through(sound, lost, concealed=one)) for one in (True, False))
    assert concealed > silent


def test_nothing_is_made_up_where_nothing_is_lost() -> None:
    sound = speech()[: HEARD_S * RATE]
    nothing = losses(len(sound) // FRAME_SAMPLES, 0, seed=1)
    assert stoi(sound, through(sound, nothing, concealed=True)) > 0.99
