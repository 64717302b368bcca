"""What the description of the interface (OpenAPI) cannot find out by itself.

How requests say who they are from, and the few addresses that are plain views: the live stream, health.
"""

from __future__ import annotations

from typing import Any, Final

from drf_spectacular.extensions import OpenApiAuthenticationExtension


class SessionScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]  # its base registers subclasses, untyped
    target_class = "backend.api.authentication.SessionAuthentication"
    name = "session"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        return {
            "type": "apiKey",
            "in": "cookie",
            "name": "verbatim_session",
            "description": "The browser's session. Commands also need the header X-CSRFToken.",
        }


class ApiTokenScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]  # as above
    target_class = "backend.api.authentication.ApiTokenAuthentication"
    name = "token"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        return {"type": "http", "scheme": "bearer", "description": "An API token."}


_PROBLEM: Final = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/ProblemOutput"}}}
_CHANGING: Final = ("post", "put", "patch", "delete")
_TOO_MANY: Final = {
    "content": _PROBLEM,
    "description": "More commands at a time than are allowed; see Retry-After.",
}
_ID: Final = {"type": "string", "format": "uuid"}
_OBJECT: Final = {"application/json": {"schema": {"type": "object", "additionalProperties": {}}}}

_LIVE: Final = {
    "get": {
        "operationId": "live",
        "description": "Server-Sent Events: what changes in my conversations, and the words of replies being "
        "written in the conversation on screen.\n\n"
        "- `change`: position, kind, conversation_id, data (with `conversation`: its row, and for messages "
        "`message`: its row in the transcript)\n"
        "- `call`: call_id, reply_id, state (requested, started, retrying, finished), outcome and error with the "
        "last two; finished comes only when every query shows the reply\n"
        "- `chunk`: call_id, reply_id, seq (from 0, one by one), text, reasoning if there is any\n"
        "- `ping`: a sign of life, at least every 15 seconds\n"
        "- `reset`: fetch everything again\n\n"
        "Each `id:` is an opaque cursor; a browser sends the last one back as Last-Event-ID, and gets what it "
        "missed.",
        "parameters": [
            {
                "in": "query",
                "name": "cursor",
                "schema": {"type": "string"},
                "description": "The `position` of the page that is shown; absent: from now on.",
            },
            {
                "in": "query",
                "name": "conversation",
                "schema": _ID,
                "description": "Also stream the chunks of this conversation.",
            },
            {"in": "header", "name": "Last-Event-ID", "schema": {"type": "string"}},
        ],
        "tags": ["live"],
        "security": [{"session": []}, {"token": []}],
        "responses": {
            "200": {
                "content": {"text/event-stream": {"schema": {"type": "string"}}},
                "description": "The stream.",
            },
            "400": {"content": _PROBLEM, "description": "`conversation` is no id."},
            "401": {"content": _PROBLEM, "description": "Not logged in."},
            "404": {
                "content": _PROBLEM,
                "description": "There is no such conversation, or it is somebody else's.",
            },
            "503": {"content": _PROBLEM, "description": "The database is away; see Retry-After."},
        },
    }
}
_HEALTHZ: Final = {
    "get": {
        "operationId": "healthz",
        "description": "This process answers.",
        "tags": ["health"],
        "responses": {"200": {"content": _OBJECT, "description": "It does."}},
    }
}
_READYZ: Final = {
    "get": {
        "operationId": "readyz",
        "description": "Whether messages are accepted, answered and shown, with each part's state. How far read models "
        "(`projections`) and the transparency log (`log`) are: `position`, and `lag` to the last event's; of the log also "
        "`checkpoint_at`, when its newest checkpoint was signed. A log that lags makes nothing unready.",
        "tags": ["health"],
        "responses": {
            "200": {"content": _OBJECT, "description": "Ready."},
            "503": {"content": _OBJECT, "description": "Not ready; `parts` says why."},
        },
    }
}
_METRICS: Final = {
    "get": {
        "operationId": "metrics",
        "description": "Figures of the installation for Prometheus. For machines of its own network, or with METRICS_TOKEN as "
        "a bearer token.",
        "tags": ["health"],
        "responses": {
            "200": {
                "content": {"text/plain": {"schema": {"type": "string"}}},
                "description": "The figures.",
            },
            "404": {"content": _PROBLEM, "description": "Not for whoever asks."},
        },
    }
}
_OPENAI_ERRORS: Final = {
    status: {"content": _OBJECT, "description": words}
    for status, words in (
        (
            "400",
            "The body cannot be read or does not fit, or the context is full (`context_length_exceeded`).",
        ),
        ("401", "The API token is missing, wrong or revoked. Sessions are not accepted here."),
        ("404", "There is no such model (`model_not_found`)."),
        ("413", "The body is larger than 8 MB."),
        ("429", "Too many calls at the same time; see Retry-After."),
        ("502", "The model runner failed."),
        ("503", "The model runner or the database does not answer; see Retry-After."),
        ("504", "The model runner fell silent."),
    )
}
_V1_MODELS: Final = {
    "get": {
        "operationId": "openai_list_models",
        "description": "OpenAI's list of models: all that can be asked for at /v1/chat/completions.",
        "tags": ["openai"],
        "security": [{"token": []}],
        "responses": {
            "200": {"content": _OBJECT, "description": "The models."},
            "401": _OPENAI_ERRORS["401"],
        },
    }
}
_V1_COMPLETIONS: Final = {
    "post": {
        "operationId": "openai_chat_completions",
        "description": "OpenAI's chat completions, streaming or not. The body (8 MB at most) goes to the model runner byte "
        "for byte; `model`, `messages` and `stream` are read, `n` must be 1. Each request is a recorded model call: "
        "see the headers X-Model-Call-Id and X-Conversation-Id. Errors have OpenAI's shape.\n\n"
        "What is recorded: the body as it came, before anything is asked of a model; each attempt; the reply, with tokens "
        "and times as the runner tells them; and how it ended, also where the program went away or the runner failed. "
        "The program's headers, its token among them, never reach the runner. A call that repeats a recorded reply of its owner "
        "goes on in that conversation, and every other call begins one. docs/programs.md says it in full.",
        "tags": ["openai"],
        "security": [{"token": []}],
        "parameters": [
            {
                "in": "header",
                "name": "X-Archive-Conversation",
                "schema": {"type": "string", "enum": ["1"]},
                "description": "A conversation that begins with this call begins in the archive.",
            }
        ],
        "requestBody": {"required": True, "content": _OBJECT},
        "responses": {
            "200": {
                "content": {**_OBJECT, "text/event-stream": {"schema": {"type": "string"}}},
                "description": "The answer, or its stream.",
            },
            **_OPENAI_ERRORS,
        },
    }
}


def describe_plain_views(
    result: dict[str, Any], generator: Any, request: Any, public: bool
) -> dict[str, Any]:
    """A hook of the schema's generator: adds the addresses it does not know, and what all requests have in common."""
    paths = {
        **result["paths"],
        "/api/live/": _LIVE,
        "/healthz": _HEALTHZ,
        "/readyz": _READYZ,
        "/metrics": _METRICS,
        "/v1/models": _V1_MODELS,
        "/v1/chat/completions": _V1_COMPLETIONS,
    }
    for path, operations in paths.items():
        for method, operation in operations.items():
            if path.startswith("/api/") and method in _CHANGING:
                operation["responses"].setdefault("429", _TOO_MANY)
    for name, schema in result["components"]["schemas"].items():
        # Every request is read by a StrictSerializer.
        if name.endswith("InputRequest"):
            schema["additionalProperties"] = False
    return {**result, "paths": dict(sorted(paths.items()))}
