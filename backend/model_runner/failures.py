"""What a runner's error means, and the words for the person who waits for the reply. Pure.

Runners disagree about the shape of an error: nested, flat, plain text, a page of HTML, or nothing at
all. Its type decides first, then its text, then the HTTP status. May not know how the answer travelled.
Throughout, `variables` is what the names of this runner's settings begin with, for advice on them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final

from backend.application.runner_port import RunnerFailure
from backend.model_runner.runner_settings import FIRST_VARIABLES

LONGEST_RETRY_AFTER_S: Final = 30.0
"""Nobody watches a page for longer than this because a runner asked for it."""

_SHOWN_CHARACTERS = 500
_SECONDS = re.compile(r"[0-9]+(\.[0-9]+)?")

# What servers say of an address they do not serve, as opposed to a model they do not have.
_NO_SUCH_ADDRESS = re.compile(
    r"^(404 page not found|file not found|not found|invalid url.*|no route.*)\.?$", re.IGNORECASE
)

_CONTEXT_WORDS = (
    "maximum context length",
    "maximum model length",
    "context length is only",
    "context size",
    "context length",
    "context window",
    "context_length_exceeded",
    "exceeds the available context",
    "context overflow",
)
_CONTEXT_KINDS = frozenset({"exceed_context_size_error", "context_length_exceeded"})
_SIZE_IN_TEXT = re.compile(
    r"(?:maximum context length is|context length is only|maximum model length of|maximum model length is) (\d+)"
)
_PROMPT_IN_TEXT = (
    re.compile(r"\((\d+) in the messages"),
    re.compile(r"(?:passed|has at least|request has|contains at least) (\d+) input tokens"),
    re.compile(r"prompt \(length (\d+)\)"),
    re.compile(r"messages resulted in (\d+) tokens"),
    re.compile(r"requested (\d+) tokens"),
)


def failure_of_response(
    status: int,
    body: bytes,
    runner: str,
    *,
    variables: str = FIRST_VARIABLES,
    retry_after_s: float | None = None,
) -> RunnerFailure:
    """What an answer other than 200 to a request for a completion means.

    body: JSON of several shapes, plain text, HTML or empty. runner: host and port, for the text.
    retry_after_s: what `retry_after` made of the header, kept where the runner may be asked again.
    """
    failure = failure_of_error(_error_of_body(body), http_status=status, runner=runner, variables=variables)
    failure.retry_after_s = retry_after_s if failure.safe_to_retry else None
    return failure


def retry_after(header: str | None, now: datetime) -> float | None:
    """Seconds to leave the runner alone, 0 to 30, from a `Retry-After` header; None where it says nothing.

    header: seconds, or the date of an end in HTTP's format. now: aware.
    """
    text = (header or "").strip()
    if _SECONDS.fullmatch(text):
        wish = float(text)
    else:
        try:
            until = parsedate_to_datetime(text)
            # A date in "-0000" comes without a zone, and means UTC.
            wish = ((until if until.tzinfo else until.replace(tzinfo=UTC)) - now).total_seconds()
        except (ValueError, OverflowError):
            return None
    return min(max(wish, 0.0), LONGEST_RETRY_AFTER_S)


def failure_of_listing(
    status: int, body: bytes, runner: str, *, variables: str = FIRST_VARIABLES
) -> RunnerFailure:
    """What an answer other than 200 to GET /models means."""
    if status == 404:
        return RunnerFailure(
            "runner_refused",
            f"The model runner at {runner} has no list of models at this address (HTTP 404). "
            f"Check {variables}_URL: it goes up to and including /v1.",
            http_status=status,
        )
    return failure_of_error(_error_of_body(body), http_status=status, runner=runner, variables=variables)


def failure_of_error(
    error: Mapping[str, Any],
    *,
    http_status: int | None,
    runner: str = "",
    variables: str = FIRST_VARIABLES,
) -> RunnerFailure:
    """Classify an error object. http_status: None where it stood inside a stream that had begun well."""
    message = shown(_text(error.get("message")) or _text(error.get("detail")) or "")
    kinds = {str(error.get(name) or "").lower() for name in ("type", "code")}
    named = f"The model runner{' at ' + runner if runner else ''}"
    said = f" It said: {message}" if message else ""
    if kinds & _CONTEXT_KINDS or _speaks_of_context(message, http_status):
        return _context_overflow(error, message, http_status)
    if "unavailable_error" in kinds or (http_status == 503 and "loading" in message.lower()):
        return RunnerFailure(
            "runner_loading",
            f"{named} is still loading the model. Wait a moment, then retry.",
            http_status=http_status,
            # Inside a stream something may have been written already.
            safe_to_retry=http_status is not None,
        )
    if http_status is None:
        text = f"{named} reported an error while it wrote. Retry, or look at its log.{said}"
        return RunnerFailure("runner_error", text)
    code, text = _of_status(http_status, named, message, variables)
    # Who says "busy" or "not ready" has generated nothing.
    return RunnerFailure(code, text + said, http_status=http_status, safe_to_retry=http_status in (429, 503))


def _of_status(status: int, named: str, message: str, variables: str) -> tuple[str, str]:
    """Code and text for a status that no type explained."""
    match status:
        case 401:
            return "runner_refused", f"{named} refused the key. Check {variables}_API_KEY."
        case 403:
            return (
                "runner_refused",
                f"{named} does not allow this request (HTTP 403). Check {variables}_API_KEY.",
            )
        case 404 if _NO_SUCH_ADDRESS.match(message):
            return (
                "runner_refused",
                f"{named} takes no completions at this address (HTTP 404). "
                f"Check {variables}_URL: it goes up to and including /v1.",
            )
        case 404:
            return (
                "model_not_found",
                f"{named} does not have this model. Choose another model, or install it there, then retry.",
            )
        case 413:
            return (
                "runner_refused",
                f"{named} does not take a request of this size (HTTP 413). Shorten the conversation.",
            )
        case 429:
            return "runner_busy", f"{named} is busy. Wait a moment, then retry."
        case 503:
            return "runner_error", f"{named} is not ready (HTTP 503). Wait a moment, then retry."
        case _ if 300 <= status < 400:
            return (
                "runner_refused",
                f"{named} points to another address (HTTP {status}), which is not followed. "
                f"Set {variables}_URL to the final address.",
            )
        case _ if 400 <= status < 500:
            return (
                "runner_refused",
                f"{named} refused the request (HTTP {status}). Check the model and the parameters.",
            )
        case _:
            return (
                "runner_error",
                f"{named} failed (HTTP {status}). Retry, and look at its log if it happens again.",
            )


def _context_overflow(error: Mapping[str, Any], message: str, http_status: int | None) -> RunnerFailure:
    prompt, size = _whole(error.get("n_prompt_tokens")), _whole(error.get("n_ctx"))
    prompt = _number_in(message, *_PROMPT_IN_TEXT) if prompt is None else prompt
    size = _number_in(message, _SIZE_IN_TEXT) if size is None else size
    if prompt is not None and size is not None and prompt > size:
        what = (
            f"The conversation has {prompt:,} tokens, the model takes {size:,}: {prompt - size:,} too many."
        )
        said = ""
    elif prompt is not None and size is not None:
        what = (
            f"The conversation has {prompt:,} tokens, the model takes {size:,} together with its reply, "
            "and the reply was given more room than is left."
        )
        said = f" The runner said: {message}" if message else ""
    else:
        what = "The conversation is longer than the model can take."
        said = f" The runner said: {message}" if message else ""
    details = {
        name: value for name, value in (("n_prompt_tokens", prompt), ("n_ctx", size)) if value is not None
    }
    return RunnerFailure(
        "context_overflow",
        f"{what} Retry with fewer earlier messages, or choose a model with a larger context.{said}",
        http_status=http_status,
        details=details,
    )


def _speaks_of_context(message: str, http_status: int | None) -> bool:
    # A full context is refused as a bad request, or reported inside the stream; llama.cpp says 500 when it fills up.
    if http_status is not None and http_status not in (400, 413, 422, 500):
        return False
    lowered = message.lower()
    return any(words in lowered for words in _CONTEXT_WORDS)


def _number_in(message: str, *patterns: re.Pattern[str]) -> int | None:
    for pattern in patterns:
        if found := pattern.search(message.replace(",", "")):
            return int(found[1])
    return None


def bad_response(what: str) -> RunnerFailure:
    """The runner answered with something that is no completion."""
    return RunnerFailure(
        "bad_response", f"The model runner's answer cannot be read: {what}. Check the runner's version."
    )


def web_page(*, variables: str = FIRST_VARIABLES) -> RunnerFailure:
    """The address is that of a web site."""
    return RunnerFailure(
        "bad_response",
        f"The model runner's answer is a web page. Check {variables}_URL: it goes up to and including /v1.",
    )


# ---- the connection ---------------------------------------------------------------------------


def unreachable(runner: str) -> RunnerFailure:
    """Refused, no such host, or no connection in time: nothing was sent."""
    return RunnerFailure(
        "runner_unreachable",
        f"The model runner at {runner} does not answer. Start it, then retry.",
        safe_to_retry=True,
    )


def no_secure_connection(runner: str, why: str, *, variables: str = FIRST_VARIABLES) -> RunnerFailure:
    """TLS failed. why: what is wrong with the certificate; empty where it did not come so far."""
    if why:
        text = (
            f"The certificate of the model runner at {runner} is not trusted: {why}. "
            "Give it one that this machine trusts, then retry."
        )
    else:
        text = (
            f"The model runner at {runner} makes no secure connection. "
            f"Check whether {variables}_URL should begin with http:// instead of https://."
        )
    # It will be the same the next time.
    return RunnerFailure("runner_unreachable", text)


def slow_listing(runner: str, seconds: float) -> RunnerFailure:
    return RunnerFailure(
        "runner_unreachable",
        f"The model runner at {runner} did not answer within {seconds:g} seconds.",
        safe_to_retry=True,
    )


def closed_without_answer(runner: str) -> RunnerFailure:
    """The connection went away after the request: the runner may have begun to work on it."""
    return RunnerFailure(
        "runner_error",
        f"The model runner at {runner} closed the connection without an answer. "
        "Retry, and look at its log if it happens again.",
    )


def no_first_token(runner: str, seconds: float) -> RunnerFailure:
    return RunnerFailure(
        "first_token_timeout",
        f"The model runner at {runner} sent no word within {seconds:g} seconds. "
        "It may be busy or still loading the model; retry later.",
    )


def silent(runner: str, seconds: float) -> RunnerFailure:
    return RunnerFailure(
        "stream_silent",
        f"The model runner at {runner} fell silent for {seconds:g} seconds. "
        "Retry, and look at its log if it happens again.",
    )


def cut(runner: str) -> RunnerFailure:
    return RunnerFailure(
        "stream_cut",
        f"The connection to the model runner at {runner} broke. "
        "Retry, and look at its log if it happens again.",
    )


# ---- shapes -----------------------------------------------------------------------------------


def error_in(answer: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The error in a piece of a stream: nested under `error`, flat, or plain text; None where there is none."""
    error = answer.get("error")
    if isinstance(error, Mapping) and error:
        return error
    if isinstance(error, str) and error:
        return {"message": error, "type": answer.get("type"), "code": answer.get("code")}
    if answer.get("object") == "error":
        return answer
    if "choices" not in answer and any(isinstance(answer.get(name), str) for name in ("message", "detail")):
        return answer
    return None


def error_of_text(text: str) -> Mapping[str, Any]:
    """The error in a text of any kind, however it is written. Never fails: at worst its words are the message."""
    text = text.strip()
    try:
        parsed = json.loads(text)
    except (ValueError, RecursionError):
        # A proxy's error page says nothing that the status does not.
        return {"message": "" if text.startswith("<") else text}
    if isinstance(parsed, Mapping):
        return error_in(parsed) or ({"message": text} if parsed else {})
    return {"message": parsed if isinstance(parsed, str) else text}


def _error_of_body(body: bytes) -> Mapping[str, Any]:
    return error_of_text(body.decode("utf-8", errors="replace"))


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _whole(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def shown(text: str) -> str:
    """A text from outside, short enough for a message."""
    return text if len(text) <= _SHOWN_CHARACTERS else text[:_SHOWN_CHARACTERS] + "…"
