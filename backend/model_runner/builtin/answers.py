"""The front's own answers, in the shapes that OpenAI's interface and llama.cpp's server use. Pure."""

from __future__ import annotations

import json
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from backend.model_runner.builtin.files import ModelFile


def answer(status: int, body: Any) -> bytes:
    """A whole HTTP response; the connection ends with it."""
    content = json.dumps(body).encode()
    return (
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(content)}\r\nConnection: close\r\n\r\n"
    ).encode() + content


def failure(status: int, kind: str, message: str, **fields: Any) -> bytes:
    return answer(status, {"error": {"message": message, "type": kind, "code": status, **fields}})


def loading() -> bytes:
    """As llama.cpp answers while it loads a model."""
    return failure(503, "unavailable_error", "Loading model")


def no_such_model(name: str | None, models: Sequence[ModelFile]) -> bytes:
    wanted = f"has no model {name[:200]!r}" if name is not None else "needs a `model` in the request"
    message = f"The built-in runner {wanted}. It has: {', '.join(model.id for model in models)}."
    return failure(404, "invalid_request_error", message, param="model", code="model_not_found")


def cannot_load(model: ModelFile, reason: str) -> bytes:
    # Only the name: where a file lies is nobody's business.
    return failure(500, "server_error", cannot_load_text(model, reason))


def cannot_load_text(model: ModelFile, reason: str) -> str:
    said = reason.replace(str(model.path), model.path.name)
    return f"The model file {model.path.name} cannot be loaded: {said}."


def engine_ended(model: ModelFile | None) -> bytes:
    what = f"The model {model.id}" if model else "The model"
    return failure(
        500,
        "server_error",
        f"{what} ended while it worked on this request. It is started again with the next one.",
    )


def listing_entry(
    model: ModelFile, context_tokens: int, is_loaded: bool, problem: str | None
) -> dict[str, Any]:
    """context_tokens: for one reply. problem: why it cannot be loaded, None where nothing is known against it."""
    entry: dict[str, Any] = {
        "id": model.id,
        "object": "model",
        "created": model.changed_ns // 1_000_000_000,
        "owned_by": "llamacpp",
        "loaded": is_loaded,
        "size_bytes": model.size_bytes,
        "demonstration": model.demonstration,
        "meta": {
            "n_ctx": context_tokens,
            "n_ctx_train": model.header.context_tokens,
            "size": model.size_bytes,
        },
    }
    if problem is not None:
        entry["error"] = cannot_load_text(model, problem)
    return entry
