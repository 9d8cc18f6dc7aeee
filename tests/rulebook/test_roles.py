"""What a role may."""

import json

import pytest

from accounts.role import Role
from rulebook.document import read
from rulebook.errors import DocumentMalformed
from rulebook.roles import BUILT_IN, Permission, Roles

DUTY = {"name": "duty", "title": "值班长", "permissions": ["wallboard"]}


def roles(*given: object) -> Roles:
    return read("roles", Roles, json.dumps({"roles": given}))


def test_the_built_in_ones_are_always_there_and_each_may_what_those_before_it_may() -> None:
    assert list(BUILT_IN) == [role.value for role in Role]
    agent, supervisor, administrator = (roles().permissions(role) for role in Role)
    assert agent < supervisor < administrator == frozenset(Permission)


def test_a_role_that_was_made_may_what_it_says_and_one_that_is_no_more_nothing() -> None:
    made = roles(DUTY)
    assert made.has("duty")
    assert made.permissions("duty") == {Permission.WALLBOARD}
    assert not made.has("gone")
    assert made.permissions("gone") == frozenset()


@pytest.mark.parametrize(
    "given",
    [
        (DUTY, DUTY),
        ({**DUTY, "name": "agent"},),
        ({**DUTY, "name": "x" * 17},),
        ({**DUTY, "name": "../"},),
        ({**DUTY, "permissions": ["wallboard", "wallboard"]},),
        ({**DUTY, "permissions": ["fly"]},),
        ({**DUTY, "title": ""},),
    ],
)
def test_what_cannot_be_is_refused(given: tuple[object, ...]) -> None:
    with pytest.raises(DocumentMalformed):
        roles(*given)
