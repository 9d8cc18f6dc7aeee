"""What callers are offered whom nobody can take now."""

import pytest

from rulebook.document import read
from rulebook.errors import DocumentMalformed
from rulebook.ways import WaysOn
from session.ways import Patience, Way


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        ('{"closed": {"ways": ["link", "link"]}}', "twice"),
        ('{"queues": [{"queue": "a", "overflow": "a", "patience_s": 60}]}', "into itself"),
        ('{"queues": [{"queue": "a", "ways": ["link"]}]}', "patience_s"),
        ('{"queues": [{"queue": "a", "longest": 0}]}', ""),
        ('{"queues": [{"queue": "a"}, {"queue": "a"}]}', "twice"),
        ('{"often": {"calls": -1}}', ""),
        ('{"closed": {"ways": ["fax"]}}', ""),
        ('{"closed": {"keys": {"9": "link"}}}', ""),
    ],
)
def test_what_cannot_be_is_refused(body: str, fault: str) -> None:
    with pytest.raises(DocumentMalformed) as refused:
        read("ways", WaysOn, body)
    assert fault in str(refused.value)


def test_what_is_not_said_is_as_the_product_has_it() -> None:
    ways = read("ways", WaysOn, "{}")
    assert ways.closed.ways == ways.full.ways == tuple(Way)
    assert (ways.closed.owed, ways.full.owed) == (False, True)
    assert ways.bound("general") is None


def test_the_bound_of_a_queue() -> None:
    body = '{"queues": [{"queue": "a", "longest": 3, "patience_s": 300, "overflow": "b", "ways": ["message"]}]}'
    bound = read("ways", WaysOn, body).bound("a")
    assert bound is not None
    assert bound.patience == Patience(300.0, "b", (Way.MESSAGE,))
