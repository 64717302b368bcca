"""Between OpenAI's JSON, as real runners speak it, and our words. Pure.

Tolerant in what it reads: runners leave fields out, send null for empty, repeat the role, and put usage
into a chunk without choices. What an error means is for failures.py to say.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from backend.application.runner_port import (
    Delta,
    Finished,
    PromptProgress,
    ResponseIdentity,
    RunnerEvent,
    RunnerModel,
    ToolCallFragment,
    Usage,
)
from backend.model_runner import failures

DONE = "[DONE]"
_DEMONSTRATION_MODELS = ("smollm2-135m", "smollm2:135m")

# Each runner names the room of a model differently. What is in force stands before what is possible.
_CONTEXT_FIELDS = (
    "max_model_len",
    "loaded_context_length",
    "context_length",
    "context_window",
    "max_context_length",
    "max_input_tokens",
)
_CONTEXT_FIELDS_OF_META = ("n_ctx", "n_ctx_train")


def events_of_data(data: str, runner: str = "") -> Iterator[RunnerEvent]:
    """What one `data:` of a streamed completion says, in order. runner: host and port, for the texts.

    Raises RunnerFailure where it holds an error (text that came with it first), or is no JSON object.
    """
    if not data.strip():
        return
    try:
        chunk = json.loads(data)
    except (ValueError, RecursionError):
        raise failures.bad_response(f"a piece of the stream is not JSON: {failures.shown(data)}") from None
    if not isinstance(chunk, Mapping):
        raise failures.bad_response(f"a piece of the stream is not a JSON object: {failures.shown(data)}")
    identity = ResponseIdentity(
        _text(chunk.get("id")), _text(chunk.get("model")), _text(chunk.get("system_fingerprint"))
    )
    choice = _first_choice(chunk.get("choices"))
    error = failures.error_in(chunk)
    if error is not None:
        yield from (event for event in _events_of_choice(choice) if not isinstance(event, Finished))
        raise failures.failure_of_error(error, http_status=None, runner=runner)
    if identity != ResponseIdentity():
        yield identity
    if (progress := _progress(chunk.get("prompt_progress"))) is not None:
        yield progress
    yield from _events_of_choice(choice)
    usage = chunk.get("usage")
    if isinstance(usage, Mapping):
        yield Usage(_whole(usage.get("prompt_tokens")), _whole(usage.get("completion_tokens")), dict(usage))


def _progress(told: Any) -> PromptProgress | None:
    """llama.cpp's answer to `return_progress`: tokens of the prompt that were read, or were still known."""
    if not isinstance(told, Mapping):
        return None
    processed, total = _whole(told.get("processed")), _whole(told.get("total"))
    return None if processed is None or not total else PromptProgress(min(processed, total), total)


def _first_choice(choices: Any) -> Mapping[str, Any]:
    """Index 0 of the choices, empty where there is none: usage comes in a chunk without."""
    for choice in choices if isinstance(choices, list) else []:
        if isinstance(choice, Mapping) and choice.get("index") in (0, None):
            return choice
    return {}


def _events_of_choice(choice: Mapping[str, Any]) -> Iterator[RunnerEvent]:
    # A server that does not stream at all answers with `message` instead of `delta`.
    delta = choice.get("delta") or choice.get("message")
    if isinstance(delta, Mapping):
        text = _content(delta.get("content")) or _content(delta.get("refusal"))
        reasoning = _content(delta.get("reasoning_content")) or _content(delta.get("reasoning"))
        if text or reasoning:
            yield Delta(text, reasoning)
        calls = delta.get("tool_calls")
        for place, call in enumerate(calls if isinstance(calls, list) else []):
            if isinstance(call, Mapping):
                yield _fragment(call, place)
    reason = choice.get("finish_reason")
    if isinstance(reason, str) and reason:
        yield Finished(reason)


def _fragment(call: Mapping[str, Any], place: int) -> ToolCallFragment:
    index, function = call.get("index"), call.get("function")
    named = function if isinstance(function, Mapping) else {}
    return ToolCallFragment(
        index=place if (number := _whole(index)) is None else number,
        call_id=_text(call.get("id")),
        name=_text(named.get("name")),
        arguments=_content(named.get("arguments")),
    )


# ---- models -----------------------------------------------------------------------------------


def models_of_listing(body: bytes) -> tuple[RunnerModel, ...]:
    """The models of a GET /models answer, each id once. Raises RunnerFailure where it is no such listing."""
    try:
        listing = json.loads(body)
    except (ValueError, RecursionError):
        raise failures.bad_response("the list of models is not JSON") from None
    if not isinstance(listing, Mapping) or "data" not in listing:
        raise failures.bad_response("the list of models has no `data`")
    # A runner without any model says null.
    entries = [] if listing["data"] is None else listing["data"]
    if not isinstance(entries, list):
        raise failures.bad_response("the `data` of the list of models is not a list")
    models: dict[str, RunnerModel] = {}
    for entry in entries:
        if isinstance(entry, Mapping) and (model_id := _text(entry.get("id"))) is not None:
            models.setdefault(model_id, _model_of(model_id, entry))
    return tuple(models.values())


def _model_of(model_id: str, entry: Mapping[str, Any]) -> RunnerModel:
    """size_bytes, loaded and error: as the built-in runner tells them; llama.cpp has `meta.size` and `status`."""
    meta = _part(entry, "meta")
    return RunnerModel(
        model_id,
        context_tokens=_context_of(entry, meta),
        demonstration=is_demonstration(model_id),
        size_bytes=_positive(entry.get("size_bytes")) or _positive(meta.get("size")),
        loaded=_loaded(entry),
        error=_text(entry.get("error")),
    )


def with_context(model: RunnerModel, context_tokens: int | None) -> RunnerModel:
    """The model with a context size that is known better; unchanged for None."""
    return model if context_tokens is None else replace(model, context_tokens=context_tokens)


def context_of_props(body: bytes) -> int | None:
    """The context of one slot, as llama.cpp's /props tells it."""
    return _positive(_part(_object(body), "default_generation_settings").get("n_ctx"))


def version_in(body: bytes) -> str | None:
    """A version as llama.cpp's /props (`build_info`), or vLLM's or Ollama's version page (`version`) tells it."""
    told = _object(body)
    return _text(told.get("build_info")) or _text(told.get("version"))


def is_demonstration(model_id: str) -> bool:
    """Whether this is the small model that only shows that everything works."""
    return any(name in model_id.lower() for name in _DEMONSTRATION_MODELS)


def _loaded(entry: Mapping[str, Any]) -> bool | None:
    """Whether the model is in memory; a llama.cpp server for several models says so by `status.value`."""
    loaded, status = entry.get("loaded"), _part(entry, "status").get("value")
    if isinstance(loaded, bool):
        return loaded
    return status == "loaded" if isinstance(status, str) else None


def _context_of(entry: Mapping[str, Any], meta: Mapping[str, Any]) -> int | None:
    candidates = [entry.get(name) for name in _CONTEXT_FIELDS]
    candidates += [meta.get(name) for name in _CONTEXT_FIELDS_OF_META]
    return next((size for size in map(_positive, candidates) if size is not None), None)


def _part(entry: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = entry.get(name)
    return part if isinstance(part, Mapping) else {}


def _object(body: bytes) -> Mapping[str, Any]:
    try:
        parsed = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return parsed if isinstance(parsed, Mapping) else {}


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _content(value: Any) -> str:
    """Text, or the text of parts that some runners send instead."""
    if isinstance(value, list):
        return "".join(_content(part.get("text")) for part in value if isinstance(part, Mapping))
    return value if isinstance(value, str) else ""


def _whole(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _positive(value: Any) -> int | None:
    return _whole(value) or None
