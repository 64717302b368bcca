"""Between OpenAI's JSON, as real runners speak it, and our words. Pure.

Tolerant in what it reads: runners leave fields out, send null for empty, repeat the role, put usage
into a chunk without choices, and disagree about where an error stands.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from backend.application.runner_port import (
    Delta,
    Finished,
    ResponseIdentity,
    RunnerEvent,
    RunnerFailure,
    RunnerModel,
    ToolCallFragment,
    Usage,
)

DONE = "[DONE]"
_SHOWN_ERROR_CHARACTERS = 500
_DEMONSTRATION_MODELS = ("smollm2-135m", "smollm2:135m")


def events_of_data(data: str) -> Iterator[RunnerEvent]:
    """What one `data:` of a streamed completion says, in order.

    Raises RunnerFailure where it holds an error, or is no JSON object.
    """
    if not data.strip():
        return
    try:
        chunk = json.loads(data)
    except ValueError:
        raise bad_response(f"a piece of the stream is not JSON: {_shown(data)}") from None
    if not isinstance(chunk, Mapping):
        raise bad_response(f"a piece of the stream is not a JSON object: {_shown(data)}")
    error = _error_in(chunk)
    if error is not None:
        raise failure_of_error(error, http_status=None)
    identity = ResponseIdentity(
        _text(chunk.get("id")), _text(chunk.get("model")), _text(chunk.get("system_fingerprint"))
    )
    if identity != ResponseIdentity():
        yield identity
    choices = chunk.get("choices")
    if isinstance(choices, list) and choices and isinstance(choices[0], Mapping):
        yield from _events_of_choice(choices[0])
    usage = chunk.get("usage")
    if isinstance(usage, Mapping):
        yield Usage(_whole(usage.get("prompt_tokens")), _whole(usage.get("completion_tokens")), dict(usage))


def _events_of_choice(choice: Mapping[str, Any]) -> Iterator[RunnerEvent]:
    # A server that does not stream at all answers with `message` instead of `delta`.
    delta = choice.get("delta") or choice.get("message")
    if isinstance(delta, Mapping):
        text = _content(delta.get("content"))
        reasoning = _content(delta.get("reasoning_content")) or _content(delta.get("reasoning"))
        if text or reasoning:
            yield Delta(text, reasoning)
        calls = delta.get("tool_calls")
        if isinstance(calls, list):
            for place, call in enumerate(calls):
                if isinstance(call, Mapping):
                    yield _fragment(call, place)
    reason = choice.get("finish_reason")
    if isinstance(reason, str) and reason:
        yield Finished(reason)


def _fragment(call: Mapping[str, Any], place: int) -> ToolCallFragment:
    index, function = call.get("index"), call.get("function")
    named = function if isinstance(function, Mapping) else {}
    return ToolCallFragment(
        index=index if isinstance(index, int) else place,
        call_id=_text(call.get("id")),
        name=_text(named.get("name")),
        arguments=_content(named.get("arguments")),
    )


# ---- errors -----------------------------------------------------------------------------------


def failure_of_response(status: int, body: bytes, runner: str) -> RunnerFailure:
    """What an answer with an error status means. The body may be JSON of several shapes, plain text or empty."""
    text = body.decode("utf-8", errors="replace").strip()
    try:
        parsed = json.loads(text)
    except ValueError:
        parsed = None
    error = _error_in(parsed) if isinstance(parsed, Mapping) else None
    if error is None:
        error = {"message": text if parsed is None else ""}
    return failure_of_error(error, http_status=status, runner=runner)


def failure_of_error(error: Mapping[str, Any], *, http_status: int | None, runner: str = "") -> RunnerFailure:
    """Classify an error object: by its type first, then by its text, then by the status."""
    message = _shown(_text(error.get("message")) or "")
    kind = (_text(error.get("type")) or "").lower()
    named = f"The model runner{' at ' + runner if runner else ''}"
    said = f" It said: {message}" if message else ""
    if kind == "exceed_context_size_error" or _speaks_of_context(message):
        return _context_overflow(error, message, http_status)
    if kind == "unavailable_error" or (http_status == 503 and "loading" in message.lower()):
        return RunnerFailure(
            "runner_loading",
            f"{named} is still loading the model. Wait a moment, then retry.",
            http_status=http_status,
            safe_to_retry=True,
        )
    match http_status:
        case 401 | 403:
            text = f"{named} refused the key. Check MODEL_RUNNER_API_KEY.{said}"
            return RunnerFailure("runner_refused", text, http_status=http_status)
        case 404:
            text = f"{named} does not have this model. Choose another model, or install it there, then retry.{said}"
            return RunnerFailure("model_not_found", text, http_status=http_status)
        case 429:
            text = f"{named} is busy. Wait a moment, then retry.{said}"
            return RunnerFailure("runner_busy", text, http_status=http_status, safe_to_retry=True)
        case int() if 400 <= http_status < 500:
            text = f"{named} refused the request (HTTP {http_status}). Check the model and the parameters.{said}"
            return RunnerFailure("runner_refused", text, http_status=http_status)
        case int():
            text = f"{named} failed (HTTP {http_status}). Retry, and look at its log if it happens again.{said}"
            return RunnerFailure("runner_error", text, http_status=http_status)
        case None:
            text = f"{named} reported an error while it wrote. Retry, or look at its log.{said}"
            return RunnerFailure("runner_error", text)


def _context_overflow(error: Mapping[str, Any], message: str, http_status: int | None) -> RunnerFailure:
    prompt, size = _whole(error.get("n_prompt_tokens")), _whole(error.get("n_ctx"))
    if prompt is not None and size is not None:
        what = (
            f"The conversation has {prompt:,} tokens, the model takes {size:,}: {max(0, prompt - size):,} too many. "
        )
    else:
        what = "The conversation is longer than the model can take. "
    said = "" if prompt is not None or not message else f" The runner said: {message}"
    details = {name: value for name, value in (("n_prompt_tokens", prompt), ("n_ctx", size)) if value is not None}
    return RunnerFailure(
        "context_overflow",
        what + "Start a new conversation, or choose a model with a larger context." + said,
        http_status=http_status,
        details=details,
    )


def _speaks_of_context(message: str) -> bool:
    lowered = message.lower()
    return "maximum context length" in lowered or "context size" in lowered or "exceeds the available context" in lowered


def bad_response(what: str) -> RunnerFailure:
    """The runner answered with something that is no completion."""
    return RunnerFailure("bad_response", f"The model runner's answer cannot be read: {what}. Check the runner's version.")


def _error_in(chunk: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The error in an answer: nested under `error`, or flat with `object: error`, or plain text."""
    error = chunk.get("error")
    if isinstance(error, Mapping):
        return error
    if isinstance(error, str) and error:
        return {"message": error, "type": chunk.get("type")}
    if chunk.get("object") == "error" or ("message" in chunk and "code" in chunk and "choices" not in chunk):
        return chunk
    detail = chunk.get("detail")
    return {"message": detail} if isinstance(detail, str) and "choices" not in chunk else None


# ---- models -----------------------------------------------------------------------------------


def models_of_listing(body: bytes) -> tuple[RunnerModel, ...]:
    """The models of a GET /models answer. Raises RunnerFailure where it is no such listing."""
    try:
        listing = json.loads(body)
    except ValueError:
        raise bad_response("the list of models is not JSON") from None
    entries = listing.get("data") if isinstance(listing, Mapping) else None
    if not isinstance(entries, list):
        raise bad_response("the list of models has no `data`")
    return tuple(
        RunnerModel(entry["id"], _context_of(entry), is_demonstration(entry["id"]))
        for entry in entries
        if isinstance(entry, Mapping) and isinstance(entry.get("id"), str)
    )


def context_of_props(body: bytes) -> int | None:
    """The context of one slot, as llama.cpp's /props tells it."""
    try:
        props = json.loads(body)
    except ValueError:
        return None
    settings = props.get("default_generation_settings") if isinstance(props, Mapping) else None
    return _whole(settings.get("n_ctx")) if isinstance(settings, Mapping) else None


def is_demonstration(model_id: str) -> bool:
    """Whether this is the small model that only shows that everything works."""
    return any(name in model_id.lower() for name in _DEMONSTRATION_MODELS)


def _context_of(entry: Mapping[str, Any]) -> int | None:
    meta = entry.get("meta")
    inner = meta if isinstance(meta, Mapping) else {}
    for candidate in (entry.get("max_model_len"), entry.get("context_length"), inner.get("n_ctx"), inner.get("n_ctx_train")):
        if (size := _whole(candidate)) is not None:
            return size
    return None


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _content(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _whole(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _shown(text: str) -> str:
    return text if len(text) <= _SHOWN_ERROR_CHARACTERS else text[:_SHOWN_ERROR_CHARACTERS] + "…"
