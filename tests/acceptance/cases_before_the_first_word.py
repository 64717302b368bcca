"""Runners that cannot be reached, are not ready, or say no."""

from __future__ import annotations

from typing import Any, Final

from backend.model_runner.script import Script
from tests.acceptance.failure_case import (
    AGAIN_BUSY,
    AGAIN_LOADING,
    AGAIN_UNREACHABLE,
    OPENED,
    SERVED,
    FailureCase,
    Section,
)

UNREACHABLE: Final = OPENED + "does not answer. Start it, then retry."
NO_ANSWER: Final = (
    OPENED + "closed the connection without an answer. Retry, and look at its log if it happens again."
)
TOO_SLOW: Final = (
    OPENED
    + "sent no word within {first_token} seconds. It may be busy or still loading the model; retry later."
)
SHORTER: Final = "Retry with fewer earlier messages, or choose a model with a larger context."
TOO_LONG: Final = "The conversation has 9,000 tokens, the model takes 8,192: 808 too many. " + SHORTER
CHECK_URL: Final = "Check MODEL_RUNNER_URL: it goes up to and including /v1."
LOADING: Final = {"error": {"type": "unavailable_error", "message": "Loading model", "code": 503}}
OVERFLOW: Final = {
    "type": "exceed_context_size_error",
    "message": "the request exceeds the available context size",
    "n_prompt_tokens": 9000,
    "n_ctx": 8192,
}
IN_WORDS: Final = (
    "This model's maximum context length is 8192 tokens. However, you requested 9100 tokens "
    "(9000 in the messages, 100 in the completion)."
)
PAGE: Final = "<!DOCTYPE html><title>502 Bad Gateway</title>"
TRYING: Final = "“Trying again…”, then the reply"
LOADED: Final = "“Loading the model…”, then the reply"


def _answer(status: int, body: Any = b"", kind: str = "application/json", **headers: str) -> Script:
    return Script().respond(status, body, kind, **headers)


def _said(words: str) -> dict[str, Any]:
    return {"error": {"message": words}}


def _pings(count: int, pause_ms: float) -> Script:
    script = Script()
    for _ in range(count):
        script.ping().sleep(pause_ms)
    return script


def _failed(status: int) -> str:
    return OPENED + f"failed (HTTP {status}). Retry, and look at its log if it happens again."


def _refused(status: int) -> str:
    return OPENED + f"refused the request (HTTP {status}). Check the model and the parameters."


CONNECTING: Final = Section(
    "The runner cannot be reached",
    "",
    (
        FailureCase(
            name="refused", happens="Nobody listens at the runner's address.",
            asked="gone", code="runner_unreachable", says=UNREACHABLE,
            attempts=3, again=AGAIN_UNREACHABLE, pauses=(0.5, 2),
        ),
        FailureCase(
            name="unknown host", happens="The runner's host name does not exist.",
            asked="nowhere", code="runner_unreachable", says=UNREACHABLE,
            attempts=3, again=AGAIN_UNREACHABLE, pauses=(0.5, 2),
        ),
        FailureCase(
            name="no connection", happens="The runner's host takes no connection within 5 seconds.",
            asked="full", code="runner_unreachable", says=UNREACHABLE,
            attempts=3, again=AGAIN_UNREACHABLE, pauses=(0.5, 2),
        ),
        FailureCase(
            name="started anew", happens="The runner is being started anew, and is back within the pauses.",
            refuse_s=1.8, scripts=(SERVED,), outcome="complete", text="Here I am.",
            page=TRYING, attempts=3, again=AGAIN_UNREACHABLE, pauses=(0.5, 2),
        ),
        FailureCase(
            name="closed without an answer",
            happens="The connection is closed after the request. The runner may have begun to work on it.",
            scripts=(Script().cut(),), code="runner_error", says=NO_ANSWER,
        ),
        FailureCase(
            name="no TLS",
            happens="The address begins with `https://`, and the runner speaks no TLS, or its certificate is not trusted.",
            asked="secure", code="runner_unreachable",
            says=OPENED + "makes no secure connection. Check whether MODEL_RUNNER_SECURE_URL should begin with http:// instead of https://.",
        ),
        FailureCase(
            name="no HTTP", happens="What answers speaks no HTTP, such as a TLS server that is asked without TLS.",
            scripts=(Script().socket(b"\x15\x03\x01\x00\x02\x02\x46").hold(),), code="runner_error", says=NO_ANSWER,
        ),
    ),
)  # fmt: skip

WAITING: Final = Section(
    "The runner is loading, busy or slow",
    "The first word is waited for longer than the next ones, because some runners load the model inside the first\n"
    "request. Comment pings say that the connection lives, not that a word will come: only the second wait heeds them.",
    (
        FailureCase(
            name="loading",
            happens="HTTP 503 with the type `unavailable_error` while the model is loaded (llama.cpp), then the reply.",
            scripts=(_answer(503, LOADING), _answer(503, LOADING), SERVED), outcome="complete", text="Here I am.",
            page=LOADED, attempts=3, again=AGAIN_LOADING, pauses=(1, 2),
        ),
        FailureCase(
            name="loading in plain words", happens="HTTP 503 and plain text that speaks of loading, then the reply.",
            scripts=(_answer(503, "model is still loading", "text/plain"), SERVED), outcome="complete", text="Here I am.",
            page=LOADED, attempts=2, again=AGAIN_LOADING, pauses=(1,),
        ),
        FailureCase(
            name="loading without a sign",
            happens="The request hangs without headers while the model is loaded (Docker Model Runner), then the reply.",
            scripts=(Script().sleep(1500).text("Here I am.").complete(),), outcome="complete", text="Here I am.",
            page="“Still waiting for the first word.”, then the reply",
        ),
        FailureCase(
            name="busy", happens="HTTP 429 with `Retry-After: 3`, then the reply.",
            scripts=(_answer(429, _said("slow down"), **{"Retry-After": "3"}), SERVED), outcome="complete", text="Here I am.",
            page=TRYING, attempts=2, again=AGAIN_BUSY, pauses=(3,),
        ),
        FailureCase(
            name="busy for long", happens="HTTP 429 every time.",
            scripts=(_answer(429, _said("slow down")),) * 5, code="runner_busy", http_status=429,
            says=OPENED + "is busy. Wait a moment, then retry. It said: slow down.",
            attempts=5, again=AGAIN_BUSY, pauses=(1, 2, 4, 8),
        ),
        FailureCase(
            name="not ready", happens="HTTP 503 without a word of loading, then the reply.",
            scripts=(_answer(503, "unable to load runner", "text/plain"), SERVED), outcome="complete", text="Here I am.",
            page=TRYING, attempts=2, again=AGAIN_BUSY, pauses=(1,),
        ),
        FailureCase(
            name="no answer", happens="The runner takes the request and never answers.",
            scripts=(Script().never(),), code="first_token_timeout", says=TOO_SLOW,
        ),
        FailureCase(
            name="only headers", happens="Headers come, and nothing else.",
            scripts=(Script().headers().hold(),), code="first_token_timeout", says=TOO_SLOW,
        ),
        FailureCase(
            name="only pings", happens="Comment pings come, and no word.",
            scripts=(_pings(40, 250),), code="first_token_timeout", says=TOO_SLOW,
        ),
        FailureCase(
            name="only a role", happens="A first piece comes that says only who speaks.",
            scripts=(Script().role().hold(),), code="first_token_timeout", says=TOO_SLOW,
        ),
    ),
)  # fmt: skip

CONTEXT: Final = Section(
    "The conversation is too long for the model",
    "Verbatim leaves out the earliest messages by itself where it knows how much the model takes. A runner that refuses all\n"
    "the same is believed: what it says is remembered for this model, and the page offers “Retry with fewer earlier messages”.",
    (
        FailureCase(
            name="overflow in numbers", happens="HTTP 400 of the type `exceed_context_size_error` with both sizes (llama.cpp).",
            scripts=(_answer(400, {"error": OVERFLOW}),), code="context_overflow", http_status=400, says=TOO_LONG,
        ),
        FailureCase(
            name="overflow in words", happens="HTTP 400 with both sizes in its text (vLLM).",
            scripts=(_answer(400, {"object": "error", "message": IN_WORDS, "type": "BadRequestError", "code": 400}),),
            code="context_overflow", http_status=400, says=TOO_LONG,
        ),
        FailureCase(
            name="overflow without numbers", happens="HTTP 400 with a text that speaks of the context, without sizes (Ollama).",
            scripts=(_answer(400, {"error": "the input length exceeds the context length"}),),
            code="context_overflow", http_status=400,
            says="The conversation is longer than the model can take. " + SHORTER
            + " The runner said: the input length exceeds the context length.",
        ),
        FailureCase(
            name="overflow in a stream", happens="HTTP 200, and the error as the first piece of the stream.",
            scripts=(Script().error(**OVERFLOW),), code="context_overflow", says=TOO_LONG,
        ),
        FailureCase(
            name="overflow in one piece", happens="HTTP 200 with the error as one JSON object instead of a stream.",
            scripts=(_answer(200, {"error": OVERFLOW}),), code="context_overflow", says=TOO_LONG,
        ),
        FailureCase(
            name="context full while writing", happens="The context fills up while the model writes (`finish_reason` `length`).",
            scripts=(Script().text("So far").complete("length"),), outcome="truncated", code="length", text="So far",
            says="The reply reached its length limit, or the model's context is full. The text up to there is kept.",
            page="Cut off at the length limit",
        ),
        FailureCase(
            name="context full with an error", happens="The context fills up, and an error in the stream says so.",
            scripts=(Script().text("So far").error(message="Context size has been exceeded.", type="server_error", code=500),),
            code="context_overflow", text="So far",
            says="The conversation is longer than the model can take. " + SHORTER
            + " The runner said: Context size has been exceeded. The text up to there is kept.",
        ),
    ),
)  # fmt: skip

REFUSALS: Final = Section(
    "The runner answers with an error",
    "The type of the error decides first, then its words, then the status. The body may be JSON of any shape, plain text, a\n"
    "web page, or empty; a runner's own words are repeated, a proxy's page is not.",
    (
        FailureCase(
            name="nested error", happens="HTTP 500 and `{\"error\": {\"message\": …}}`.",
            scripts=(_answer(500, _said("out of memory")),), code="runner_error", http_status=500,
            says=_failed(500) + " It said: out of memory.",
        ),
        FailureCase(
            name="flat error", happens="HTTP 500 and a flat object, `{\"object\": \"error\", \"message\": …}`.",
            scripts=(_answer(500, {"object": "error", "message": "backend EOF", "code": 500}),), code="runner_error", http_status=500,
            says=_failed(500) + " It said: backend EOF.",
        ),
        FailureCase(
            name="error in plain text", happens="HTTP 500 and plain text (Docker Model Runner).",
            scripts=(_answer(500, "backend died", "text/plain"),), code="runner_error", http_status=500,
            says=_failed(500) + " It said: backend died.",
        ),
        FailureCase(
            name="empty error", happens="HTTP 502 and nothing else (Docker Model Runner).",
            scripts=(_answer(502, b"", "text/plain"),), code="runner_error", http_status=502, says=_failed(502),
        ),
        FailureCase(
            name="error page", happens="HTTP 502 and a proxy's web page.",
            scripts=(_answer(502, PAGE, "text/html"),), code="runner_error", http_status=502, says=_failed(502),
        ),
        FailureCase(
            name="half an error", happens="HTTP 500 and a body that never ends.",
            scripts=(Script().socket(b"HTTP/1.1 500 X\r\nContent-Type: text/plain\r\nContent-Length: 99\r\n\r\nhalf of it").hold(),),
            code="runner_error", http_status=500, says=_failed(500) + " It said: half of it.",
        ),
        FailureCase(
            name="bad request", happens="HTTP 400: the runner does not take a parameter.",
            scripts=(_answer(400, _said("top_k is not supported")),), code="runner_refused", http_status=400,
            says=_refused(400) + " It said: top_k is not supported.",
        ),
        FailureCase(
            name="bad request by parts", happens="HTTP 422 and a `detail` that is a list.",
            scripts=(_answer(422, {"detail": [{"msg": "field required"}]}),), code="runner_refused", http_status=422,
            says=_refused(422) + " It said: {{\"detail\": [{{\"msg\": \"field required\"}}]}}.",
        ),
        FailureCase(
            name="model missing", happens="HTTP 404: the runner does not have the model (Docker Model Runner: not pulled).",
            scripts=(_answer(404, "model not found", "text/plain"),), code="model_not_found", http_status=404,
            says=OPENED + "does not have this model. Choose another model, or install it there, then retry. It said: model not found.",
        ),
        FailureCase(
            name="wrong address", happens="HTTP 404: the server has no such address.",
            scripts=(_answer(404, "404 page not found", "text/plain"),), code="runner_refused", http_status=404,
            says=OPENED + "takes no completions at this address (HTTP 404). " + CHECK_URL + " It said: 404 page not found.",
        ),
        FailureCase(
            name="wrong key", happens="HTTP 401: the key is missing or wrong.",
            scripts=(_answer(401, b""),), code="runner_refused", http_status=401,
            says=OPENED + "refused the key. Check MODEL_RUNNER_API_KEY.",
        ),
        FailureCase(
            name="not allowed", happens="HTTP 403: the runner does not allow the request.",
            scripts=(_answer(403, b""),), code="runner_refused", http_status=403,
            says=OPENED + "does not allow this request (HTTP 403). Check MODEL_RUNNER_API_KEY.",
        ),
        FailureCase(
            name="too large", happens="HTTP 413: a proxy takes no request of this size.",
            scripts=(_answer(413, "<html>413</html>", "text/html"),), code="runner_refused", http_status=413,
            says=OPENED + "does not take a request of this size (HTTP 413). Shorten the conversation.",
        ),
        FailureCase(
            name="redirect", happens="HTTP 307: another address, which is not followed, as prompts go only where you said.",
            scripts=(_answer(307, b"", location="/elsewhere"),), code="runner_refused", http_status=307,
            says=OPENED + "points to another address (HTTP 307), which is not followed. Set MODEL_RUNNER_URL to the final address.",
        ),
        FailureCase(
            name="web page", happens="HTTP 200 and a web page: the address is that of a web site.",
            scripts=(_answer(200, PAGE, "text/html; charset=utf-8"),), code="bad_response",
            says="The model runner's answer is a web page. " + CHECK_URL,
        ),
        FailureCase(
            name="not JSON", happens="HTTP 200, said to be JSON, which it is not.",
            scripts=(_answer(200, "oops"),), code="bad_response",
            says="The model runner's answer cannot be read: a piece of the stream is not JSON: oops. Check the runner's version.",
        ),
    ),
)  # fmt: skip
