"""The description of the interface is committed, complete, and true of what is really answered."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.core.management import call_command
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from tests.integration.api.support import Person, StandInWorker

COMMITTED = Path(__file__).resolve().parents[3] / "docs" / "openapi.yaml"
Json = dict[str, Any]


@pytest.fixture(scope="module")
def schema() -> Json:
    loaded: Json = yaml.safe_load(_generated())
    return loaded


def _generated() -> str:
    out = io.StringIO()
    call_command("spectacular", "--validate", "--fail-on-warn", stdout=out)
    return out.getvalue()


def test_the_committed_description_is_the_generated_one() -> None:
    assert COMMITTED.read_text(encoding="utf-8") == _generated(), (
        "Run `python backend/manage.py spectacular --validate --fail-on-warn --file docs/openapi.yaml`."
    )


def test_every_address_of_the_interface_is_described(schema: Json) -> None:
    described = {path.replace("{", "<").replace("}", ">") for path in schema["paths"]}

    assert set(_addresses()) - {"/api/schema/", "/api/docs/"} <= described


def test_the_page_for_people_names_every_address_and_needs_no_script(schema: Json) -> None:
    response = Client(SERVER_NAME="localhost").get("/api/docs/")

    page = response.content.decode()
    assert response.status_code == 200
    for path in schema["paths"]:
        assert path in page
    assert "<script" not in page
    assert "http://" not in page
    assert "https://" not in page


def test_the_schema_is_served_to_anybody() -> None:
    response = Client(SERVER_NAME="localhost").get("/api/schema/")

    assert response.status_code == 200
    assert "/api/conversations/" in yaml.safe_load(response.content)["paths"]


@pytest.mark.usefixtures("projected")
def test_answers_have_exactly_the_described_fields(schema: Json, ann: Person, worker: StandInWorker) -> None:
    conversation = ann.start()
    _check(schema, "/api/conversations/", "post", 201, conversation)
    base = f"/api/conversations/{conversation['id']}/"
    sent = ann.send(conversation["id"], "Hello")
    _check(schema, "/api/conversations/{conversation_id}/messages/", "post", 202, sent)
    position = worker.answer(sent["call_id"], "Hi")
    regenerate = f"{base}messages/{sent['reply_id']}/regenerate/"
    again = ann.command("POST", regenerate, status=202)
    described = "/api/conversations/{conversation_id}/messages/{message_id}/regenerate/"
    _check(schema, described, "post", 202, again)
    worker.start(again["call_id"])
    position = worker.finish(again["call_id"], "", outcome="failed")
    one = "/api/conversations/{conversation_id}/"
    _check(schema, one, "patch", 200, ann.command("PATCH", base, {"pinned": True}, status=200))
    call = f"/api/model-calls/{sent['call_id']}/"
    for path, asked in (
        ("/api/me/", "/api/me/"),
        ("/api/setup/", "/api/setup/"),
        ("/api/conversations/", "/api/conversations/"),
        (one, base),
        (f"{one}transcript/", f"{base}transcript/"),
        (f"{one}events/", f"{base}events/"),
        ("/api/models/", "/api/models/"),
        ("/api/model-calls/", "/api/model-calls/"),
        ("/api/model-calls/{call_id}/", call),
        ("/api/model-calls/{call_id}/", f"/api/model-calls/{again['call_id']}/"),
        ("/api/model-calls/{call_id}/prompt/", f"{call}prompt/"),
    ):
        _check(schema, path, "get", 200, ann.get(asked, after=position))
    _check(schema, f"{one}restore/", "post", 200, ann.command("POST", f"{base}restore/", status=200))
    _check(schema, one, "delete", 202, ann.command("DELETE", base, status=202))


def _check(schema: Json, path: str, method: str, status: int, answer: Json) -> None:
    content = schema["paths"][path][method]["responses"][str(status)]["content"]["application/json"]
    _check_value(schema, content["schema"], answer, f"{method} {path}")


def _check_value(schema: Json, described: Json, value: Any, where: str) -> None:
    if "$ref" in described:
        described = schema["components"]["schemas"][described["$ref"].rpartition("/")[2]]
    for option in ("allOf", "oneOf"):
        if option in described:
            if value is None:
                assert described.get("nullable") or any("NullEnum" in str(o) for o in described[option]), (
                    where
                )
                return
            _check_value(schema, described[option][0], value, where)
            return
    if value is None:
        assert described.get("nullable") or "type" not in described, f"{where} is null"
        return
    match described.get("type"):
        case "object" if "properties" in described:
            assert value.keys() == described["properties"].keys(), where
            for name, inner in described["properties"].items():
                _check_value(schema, inner, value[name], f"{where}.{name}")
        case "array":
            for item in value:
                _check_value(schema, described["items"], item, f"{where}[]")
        case "integer":
            assert isinstance(value, int), where
            assert not isinstance(value, bool), where
        case "boolean":
            assert isinstance(value, bool), where
        case "string":
            assert isinstance(value, str), where
            assert value in described.get("enum", [value]), where


def _addresses() -> list[str]:
    found: list[str] = []

    def walk(patterns: list[URLPattern | URLResolver], prefix: str) -> None:
        for pattern in patterns:
            address = prefix + str(pattern.pattern)
            if isinstance(pattern, URLResolver):
                walk(pattern.url_patterns, address)
            else:
                found.append("/" + address.replace("<uuid:", "<").replace("<int:", "<").replace("<str:", "<"))

    walk(get_resolver("backend.api.urls").url_patterns, "")
    return [address for address in found if address.startswith("/^/") is False]
