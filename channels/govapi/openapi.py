"""The API's document (OpenAPI 3.1), made from the table of operations. `docs/govapi.openapi.json` is its output:

python -m channels.govapi.openapi > docs/govapi.openapi.json
"""

from __future__ import annotations

import json
import sys
from functools import cache
from http import HTTPStatus
from typing import Any

from channels.govapi import gate
from channels.govapi import messages as ms
from channels.govapi.callbacks import COVERS
from channels.govapi.callbacks import TAG as CALLBACK_TAG
from channels.govapi.errors import TYPES, GovApiError
from channels.govapi.operations import LONGEST_NAME, OPERATIONS, ROOT, Operation, Parameter, problems_of
from channels.govapi.shapes import Schema, schema

_ABOUT = (
    "The hotline's API for government platforms. Requests are signed by HTTP Message Signatures (RFC 9421) with "
    f'hmac-sha256 and tag="{gate.TAG}"; see docs/govapi.md. Instants are seconds since 1970. Fields that a client '
    "does not know are to be passed over, and so are a client's that we do not know."
)


@cache
def document() -> Schema:
    """The whole document."""
    known: dict[str, Schema] = {}
    paths: dict[str, Any] = {}
    for operation in OPERATIONS:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(operation, known)
    return {
        "openapi": "3.1.0",
        "info": {"title": "一号 12345 政务平台接口", "version": "1.0.0", "description": _ABOUT},
        "servers": [{"url": ROOT}],
        "security": [{"signature": []}],
        "paths": paths,
        "webhooks": {"events": {"post": _webhook(known)}},
        "components": {
            "schemas": dict(sorted(known.items())),
            "securitySchemes": {"signature": _security()},
            "parameters": _headers(),
        },
    }


def _security() -> Schema:
    return {
        "type": "apiKey",
        "in": "header",
        "name": "Signature",
        "description": (
            f'RFC 9421, hmac-sha256, with the parameters created, nonce, keyid and tag="{gate.TAG}". '
            f"It covers {', '.join(gate.ALWAYS)}; of a POST {', '.join(gate.OF_A_POST)}."
        ),
    }


def _headers() -> Schema:
    def header(name: str, means: str) -> Schema:
        return {"name": name, "in": "header", "required": True, "schema": {"type": "string"}, "description": means}

    return {
        "SignatureInput": header("Signature-Input", "What is signed, and when, and by whom (RFC 9421)."),
        "ContentDigest": header("Content-Digest", "The sha-256 of the body (RFC 9530)."),
        "IdempotencyKey": header("Idempotency-Key", "A quoted string, the same for every try of one wish."),
    }


def _operation(operation: Operation, known: dict[str, Schema]) -> Schema:
    found: Schema = {
        "operationId": operation.id,
        "summary": operation.summary,
        "parameters": _parameters(operation),
        "responses": _responses(operation, known),
    }
    if operation.takes_file:
        found["requestBody"] = {"required": True, "content": {"*/*": {}}}
    elif operation.asks is not None:
        asked = schema(operation.asks, known, is_read=True)
        found["requestBody"] = {"required": True, "content": {"application/json": {"schema": asked}}}
    return found


def _parameters(operation: Operation) -> list[Schema]:
    headers = ("SignatureInput", *(("ContentDigest", "IdempotencyKey") if operation.method == "POST" else ()))
    found: list[Schema] = [{"$ref": f"#/components/parameters/{name}"} for name in headers]
    for name in ("session", "file"):
        if f"{{{name}}}" in operation.path:
            text = {"type": "string", "maxLength": LONGEST_NAME}
            found.append({"name": name, "in": "path", "required": True, "schema": text})
    return found + [_query(one) for one in operation.query]


def _query(one: Parameter) -> Schema:
    bounds = {"type": "integer", "minimum": one.least, "maximum": one.most, "default": one.default}
    return {"name": one.name, "in": "query", "required": False, "schema": bounds, "description": one.means}


def _responses(operation: Operation, known: dict[str, Schema]) -> Schema:
    found: Schema = {}
    for status, kind in operation.answers.items():
        answer = {"application/json": {"schema": schema(kind, known, is_read=False)}}
        found[str(status)] = {"description": HTTPStatus(status).phrase, "content": answer}
    if operation.gives_file:
        found["200"] = {"description": "The file's bytes.", "content": {"*/*": {}}}
    by_status: dict[int, list[type[GovApiError]]] = {}
    for problem in problems_of(operation):
        by_status.setdefault(problem.status, []).append(problem)
    for status, problems in sorted(by_status.items()):
        found[str(status)] = _refusal(problems, known)
    return found


def _refusal(problems: list[type[GovApiError]], known: dict[str, Schema]) -> Schema:
    types = {"properties": {"type": {"enum": [f"{TYPES}{one.slug}" for one in problems]}}}
    refusal: Schema = {
        "description": "\n".join(f"`{one.slug}`: {one.title}. {one.mend}" for one in problems),
        "content": {
            "application/problem+json": {"schema": {"allOf": [schema(ms.Problem, known, is_read=False), types]}}
        },
    }
    if any(one.retryable for one in problems):
        seconds = {"schema": {"type": "integer"}, "description": "In how many seconds to try again."}
        refusal["headers"] = {"Retry-After": seconds}
    return refusal


def _webhook(known: dict[str, Schema]) -> Schema:
    return {
        "operationId": "eventsHappened",
        "summary": "What is brought to the client's callback, in order for each session, at least once. 事件回调",
        "description": (
            f'Signed with the client\'s current secret and tag="{CALLBACK_TAG}"; covers {", ".join(COVERS)}. '
            "Whatever is not answered 2xx is brought again."
        ),
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": schema(ms.Events, known, is_read=False)}},
        },
        "responses": {"2XX": {"description": "Taken: it is not brought again."}},
    }


def printed() -> str:
    """The document as it is served, and kept in docs/."""
    return json.dumps(document(), ensure_ascii=False, indent=2) + "\n"


if __name__ == "__main__":
    sys.stdout.write(printed())
