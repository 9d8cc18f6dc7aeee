"""The document: valid, the same as the one in docs/, and the same as what is served."""

import json
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openapi_schema_validator import OAS31Validator
from openapi_spec_validator import validate

from channels.govapi import messages as ms
from channels.govapi.errors import problems
from channels.govapi.openapi import document, printed
from channels.govapi.operations import OPERATIONS
from channels.govapi.shapes import Unfit, parsed, read
from tests.channels.govapi.conftest import Api

KEPT = Path(__file__).parents[3] / "docs" / "govapi.openapi.json"
GUIDE = KEPT.with_name("govapi.md")
ASKED = list(dict.fromkeys(one.asks for one in OPERATIONS if one.asks is not None))


def test_it_is_valid() -> None:
    validate(document())


def test_the_kept_one_is_the_newest() -> None:
    assert KEPT.read_text() == printed(), "python -m channels.govapi.openapi > docs/govapi.openapi.json"


async def test_it_is_served_at_its_path_to_everybody(api: Api) -> None:
    assert api.platform.document == json.loads(printed())


async def test_every_path_of_it_is_routed_and_every_route_is_in_it(api: Api) -> None:
    root = document()["servers"][0]["url"]
    promised = {
        (method.upper(), f"{root}{path}") for path, methods in document()["paths"].items() for method in methods
    }
    routed = {(route.method, route.path) for route in api.channel.routes() if hasattr(route, "path")}
    assert routed - promised == {
        ("GET", f"{root}/openapi.json"), ("GET", f"{root}/problems/{{slug}}"), ("*", "/api/govapi/{rest:.*}"),
    }  # fmt: skip
    assert not promised - routed


_TEXTS = st.one_of(
    st.text(max_size=30), st.sampled_from(["u1", "+8613800138000", "zh", "en-GB", "路灯坏了", " ", "\n好", "a\0b", ""])
)
_VALUES = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-2, 7),
        st.floats(allow_nan=False, allow_infinity=False),
        st.just(3.0),
        _TEXTS,
    ),
    lambda inner: st.lists(inner, max_size=2),
    max_leaves=3,
)
_NAMES = ["user", "text", "language", "file", "name", "message", "score", "comment", "new"]
_USERS = st.dictionaries(st.sampled_from(["id", "phone", "phone_verified", "x"]), _VALUES, max_size=4)
_BODIES = st.dictionaries(st.sampled_from(_NAMES), st.one_of(_VALUES, _USERS), max_size=5)


@pytest.mark.parametrize("kind", ASKED)
def test_what_is_read_is_what_the_document_says(kind: type) -> None:
    """In both directions: whatever fits the schema is read, and whatever is read fits the schema."""
    components = document()["components"]
    validator = OAS31Validator({"$ref": f"#/components/schemas/{kind.__name__}", "components": components})

    @settings(max_examples=60, deadline=None)
    @given(_BODIES)
    def held(body: dict[str, object]) -> None:
        try:
            read(kind, parsed(json.dumps(body).encode()))
        except Unfit:
            is_read = False
        else:
            is_read = True
        # The one thing that a schema cannot say: a text holds no NUL, and no half of a character.
        if "\\u0000" not in json.dumps(body):
            assert is_read is validator.is_valid(body), body

    held()


@pytest.mark.fuzz
def test_no_body_breaks_the_reader(long_run: bool) -> None:
    @settings(max_examples=20_000 if long_run else 100, deadline=None)
    @given(st.one_of(st.binary(max_size=60), _BODIES.map(lambda body: json.dumps(body).encode())))
    def held(body: bytes) -> None:
        for kind in (ms.OpenSession, ms.GiveRating):
            with suppress(Unfit):
                read(kind, parsed(body))

    held()


def test_the_guide_lists_every_problem() -> None:
    rows = [f"| `{kind.slug}` | {kind.status} | {kind.mend} |" for kind in problems().values()]
    assert [row for row in rows if row not in GUIDE.read_text()] == []
