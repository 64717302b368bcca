"""An error of any runner, in any shape, becomes a code and words that help."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.model_runner import failures

OVERFLOW = {
    "code": 400,
    "type": "exceed_context_size_error",
    "message": "request (9000 tokens) exceeds the available context size (8192 tokens), try increasing it",
    "n_prompt_tokens": 9000,
    "n_ctx": 8192,
}


def nested(**error: object) -> str:
    return json.dumps({"error": error})


@pytest.mark.parametrize(
    ("status", "body", "code", "words", "retry"),
    [
        # loading: llama.cpp, and as plain text
        (503, nested(message="Loading model", type="unavailable_error", code=503), "runner_loading", "loading", True),
        (503, "model is loading", "runner_loading", "Wait a moment", True),
        (503, "", "runner_error", "not ready (HTTP 503)", True),
        (503, "unable to load runner", "runner_error", "It said: unable to load runner", True),
        # text, empty bodies, pages
        (500, "backend died", "runner_error", "backend died", False),
        (502, "", "runner_error", "HTTP 502", False),
        (400, "{}", "runner_refused", "HTTP 400", False),
        (400, "[]", "runner_refused", "HTTP 400", False),
        (400, '"just text"', "runner_refused", "It said: just text", False),
        (500, '{"unknown":"shape"}', "runner_error", '{"unknown":"shape"}', False),
        # nested, flat, by FastAPI
        (500, nested(message="out of memory"), "runner_error", "It said: out of memory", False),
        (500, '{"error":"out of memory"}', "runner_error", "It said: out of memory", False),
        (400, '{"object":"error","message":"bad","type":"BadRequestError","code":400}', "runner_refused", "bad", False),
        (400, '{"message":"bad","code":400}', "runner_refused", "bad", False),
        (429, '{"detail":"slow down"}', "runner_busy", "slow down", True),
        (422, '{"detail":[{"msg":"field required"}]}', "runner_refused", "field required", False),
        # keys, sizes, addresses
        (401, nested(message="bad key"), "runner_refused", "MODEL_RUNNER_API_KEY", False),
        (403, "", "runner_refused", "does not allow", False),
        (413, "<html>413</html>", "runner_refused", "Shorten the conversation", False),
        (307, "", "runner_refused", "Set MODEL_RUNNER_URL to the final address", False),
        (204, "", "runner_error", "HTTP 204", False),
        # a missing model is not a missing page
        (404, "no such model", "model_not_found", "does not have this model", False),
        (404, nested(message="The model `x` does not exist."), "model_not_found", "`x` does not exist", False),
        (404, "", "model_not_found", "does not have this model", False),
        (404, "404 page not found", "runner_refused", "Check MODEL_RUNNER_URL", False),
        (404, nested(message="File Not Found", type="not_found_error"), "runner_refused", "Check MODEL_RUNNER_URL", False),
        (404, '{"detail":"Not Found"}', "runner_refused", "Check MODEL_RUNNER_URL", False),
    ],
)  # fmt: skip
def test_an_error_answer_is_classified_and_explained(
    status: int, body: str, code: str, words: str, retry: bool
) -> None:
    failure = failures.failure_of_response(status, body.encode(), "localhost:1")
    assert (failure.code, failure.safe_to_retry, failure.http_status) == (code, retry, status)
    assert words in failure.message
    assert failure.message.startswith("The model runner at localhost:1 ")


@pytest.mark.parametrize(
    ("message", "prompt", "size", "words"),
    [
        (
            "This model's maximum context length is 4096 tokens. However, you requested 5000 tokens "
            "(4500 in the messages, 500 in the completion). Please reduce the length of the messages or completion.",
            4500, 4096, "The conversation has 4,500 tokens, the model takes 4,096: 404 too many.",
        ),
        (
            "'max_tokens' or 'max_completion_tokens' is too large: 4000. This model's maximum context length is "
            "4096 tokens and your request has 120 input tokens (4000 > 4096 - 120).",
            120, 4096, "the reply was given more room than is left",
        ),
        (
            "The decoder prompt (length 5000) is longer than the maximum model length of 4096.",
            5000, 4096, "904 too many",
        ),
        (
            "You passed 4097 input tokens and requested 0 output tokens. However, the model's context length is only "
            "4096 tokens, resulting in a maximum input length of 4096 tokens.",
            4097, 4096, "1 too many",
        ),
        (
            "This model's maximum context length is 8,192 tokens. However, your messages resulted in 9,001 tokens.",
            9001, 8192, "809 too many",
        ),
        ("This model's maximum context length is 4096 tokens.", None, 4096, "The runner said: This model's maximum"),
        ("Context size has been exceeded.", None, None, "longer than the model can take"),
        ("input length exceeds the context length", None, None, "longer than the model can take"),
    ],
)  # fmt: skip
def test_an_overflow_told_in_words_is_told_in_numbers_where_it_has_any(
    message: str, prompt: int | None, size: int | None, words: str
) -> None:
    for body in (
        nested(message=message, code=400),
        message,
        json.dumps({"object": "error", "message": message}),
    ):
        failure = failures.failure_of_response(400, body.encode(), "x")
        assert failure.code == "context_overflow"
        assert (failure.details.get("n_prompt_tokens"), failure.details.get("n_ctx")) == (prompt, size)
        assert words in failure.message
        assert (
            "Retry with fewer earlier messages, or choose a model with a larger context." in failure.message
        )


@pytest.mark.parametrize("http_status", [400, None])
def test_an_overflow_is_known_by_its_type_and_keeps_its_numbers(http_status: int | None) -> None:
    failure = failures.failure_of_error(OVERFLOW, http_status=http_status)
    assert failure.code == "context_overflow"
    assert failure.details == {"n_prompt_tokens": 9000, "n_ctx": 8192}
    assert failure.http_status == http_status
    assert not failure.safe_to_retry
    assert failure.message == (
        "The conversation has 9,000 tokens, the model takes 8,192: 808 too many. "
        "Retry with fewer earlier messages, or choose a model with a larger context."
    )


def test_openais_code_names_an_overflow_without_words() -> None:
    failure = failures.failure_of_error(
        {"message": "too long", "code": "context_length_exceeded"}, http_status=400
    )
    assert failure.code == "context_overflow"


def test_a_busy_runner_that_mentions_its_context_is_busy() -> None:
    assert failures.failure_of_response(429, b"context length quota", "x").code == "runner_busy"


def test_loading_inside_a_stream_may_repeat_something() -> None:
    failure = failures.failure_of_error({"type": "unavailable_error"}, http_status=None)
    assert (failure.code, failure.safe_to_retry) == ("runner_loading", False)


def test_a_missing_list_of_models_speaks_of_the_address_not_of_a_model() -> None:
    failure = failures.failure_of_listing(404, b"no such model", "host:1")
    assert failure.code == "runner_refused"
    assert "Check MODEL_RUNNER_URL" in failure.message
    assert "this model" not in failure.message
    assert failures.failure_of_listing(401, b"", "host:1").code == "runner_refused"
    assert (
        failures.failure_of_listing(503, b'{"error":{"type":"unavailable_error"}}', "h").code
        == "runner_loading"
    )


def test_a_proxys_page_is_not_shown() -> None:
    failure = failures.failure_of_response(502, b"<!DOCTYPE html><p>Bad gateway, nginx</p>", "x")
    assert "nginx" not in failure.message


def test_a_very_long_error_text_is_shortened() -> None:
    failure = failures.failure_of_response(500, b"x" * 10_000, "x")
    assert len(failure.message) < 700
    assert failure.message.endswith("x…")


NOW = datetime(2026, 5, 4, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("0", 0.0), ("7", 7.0), (" 1.5 ", 1.5), ("30", 30.0), ("31", 30.0), ("9" * 400, 30.0),
        ("Mon, 04 May 2026 12:00:12 GMT", 12.0), ("Mon, 04 May 2026 12:00:12 -0000", 12.0),
        ("Mon, 04 May 2026 14:00:12 +0200", 12.0), ("Monday, 04-May-26 12:00:12 GMT", 12.0),
        ("Mon, 04 May 2026 11:00:00 GMT", 0.0), ("Tue, 04 May 2027 12:00:00 GMT", 30.0),
        (None, None), ("", None), ("-5", None), ("soon", None), ("1e3", None), ("nan", None), ("٣", None),
        ("Mon, 99 May 2026 12:00:00 GMT", None),
    ],
)  # fmt: skip
def test_a_wish_for_a_pause_is_read_as_seconds_or_a_date_and_bounded(
    header: str | None, seconds: float | None
) -> None:
    assert failures.retry_after(header, NOW) == seconds


@given(st.text(max_size=60))
def test_whatever_stands_in_the_header_a_wish_is_bounded(header: str) -> None:
    wish = failures.retry_after(header, NOW)
    assert wish is None or 0 <= wish <= 30


def test_a_wish_for_a_pause_is_kept_only_where_the_runner_may_be_asked_again() -> None:
    for status, kept in ((429, 7.0), (503, 7.0), (500, None), (400, None)):
        assert failures.failure_of_response(status, b"", "x", retry_after_s=7.0).retry_after_s == kept


def test_only_what_was_never_sent_may_be_asked_again() -> None:
    assert failures.unreachable("localhost:12434").safe_to_retry
    assert failures.unreachable("localhost:12434").message == (
        "The model runner at localhost:12434 does not answer. Start it, then retry."
    )
    for failure in (
        failures.closed_without_answer("x"), failures.no_first_token("x", 310), failures.silent("x", 60), failures.cut("x"),
    ):  # fmt: skip
        assert not failure.safe_to_retry


@given(
    st.integers(201, 599),
    st.binary(max_size=200) | st.text(max_size=50).map(lambda t: nested(message=t).encode()),
)
def test_every_status_with_every_body_gets_a_code_and_words(status: int, body: bytes) -> None:
    failure = failures.failure_of_response(status, body, "host:1")
    assert failure.code
    assert failure.http_status == status
    assert failure.message.strip()
