"""Replies that break off, that their runner ends early, or that somebody stops."""

from __future__ import annotations

from typing import Final

from backend.model_runner.script import Script
from tests.acceptance.cases_before_the_first_word import LOADING
from tests.acceptance.failure_case import AGAIN_BUSY, OPENED, FailureCase, Section, chunk

KEPT: Final = " The text up to there is kept."
LOOK: Final = " Retry, and look at its log if it happens again."
BROKE: Final = "The connection to the model runner at {runner} broke." + LOOK
SILENT: Final = OPENED + "fell silent for {silence} seconds." + LOOK
NOT_FINISHED: Final = (
    "The model runner ended the reply without saying that it was finished. Retry, or continue it."
)
WHILE_WRITING: Final = OPENED + "reported an error while it wrote. Retry, or look at its log. It said: "
UNREADABLE: Final = "The model runner's answer cannot be read: "
CHECK_VERSION: Final = " Check the runner's version."
A_LOT: Final = "many words " * 10_000
PROGRESS: Final = {
    "choices": [],
    "prompt_progress": {"total": 900, "cache": 0, "processed": 256, "time_ms": 20},
}


def _alive(script: Script) -> Script:
    for _ in range(8):
        script.sleep(500).ping()
    return script


def _far_too_much() -> Script:
    script = Script()
    for _ in range(19):
        script.text(A_LOT)
    return script.complete()


BREAKING: Final = Section(
    "The reply breaks off",
    "A reply is complete only if the runner said why it stopped. One that breaks off after its first word is `interrupted`,\n"
    "and can be continued.",
    (
        FailureCase(
            name="cut", happens="The connection breaks in mid-reply.",
            scripts=(Script().text("So far").cut(),), outcome="interrupted", code="stream_cut", text="So far",
            says=BROKE + KEPT,
        ),
        FailureCase(
            name="hung up", happens="The connection is closed in mid-reply, in order, but without HTTP's own end.",
            scripts=(Script().text("So far").hang_up(),), outcome="interrupted", code="stream_cut", text="So far",
            says=BROKE + KEPT,
        ),
        FailureCase(
            name="cut before the first word", happens="The connection breaks between headers and first word.",
            scripts=(Script().headers().cut(),), code="stream_cut", says=BROKE,
        ),
        FailureCase(
            name="silence", happens="Nothing comes any more.",
            scripts=(Script().text("So far").hold(),), outcome="interrupted", code="stream_silent", text="So far",
            says=SILENT + KEPT,
        ),
        FailureCase(
            name="silence while thinking", happens="Nothing comes any more, and only reasoning had come.",
            scripts=(Script().reasoning("Let me see").hold(),), outcome="interrupted", code="stream_silent",
            reasoning="Let me see", says=SILENT + KEPT,
        ),
        FailureCase(
            name="long pause with pings", happens="A long pause between two words, with comment pings.",
            scripts=(_alive(Script().text("Slow")).text(" but sure").complete(),), outcome="complete", text="Slow but sure",
        ),
        FailureCase(
            name="clean end without a reason", happens="The stream ends cleanly without `finish_reason` and `[DONE]` (Ollama).",
            scripts=(Script().text("So far").end(),), outcome="interrupted", code="no_finish_reason", text="So far",
            says=NOT_FINISHED + KEPT,
        ),
        FailureCase(
            name="done without a reason", happens="`[DONE]` comes without `finish_reason`.",
            scripts=(Script().text("So far").done(),), outcome="interrupted", code="no_finish_reason", text="So far",
            says=NOT_FINISHED + KEPT,
        ),
        FailureCase(
            name="nothing at all", happens="The stream ends before the first word.",
            scripts=(Script().headers().end(),), code="empty_response",
            says="The model runner ended the reply before its first word. Retry, or choose another model.",
        ),
        FailureCase(
            name="done is missing", happens="`finish_reason` comes, `[DONE]` does not.",
            scripts=(Script().text("All of it").finish().end(),), outcome="complete", text="All of it",
        ),
        FailureCase(
            name="cut after the reason", happens="The connection breaks after `finish_reason`.",
            scripts=(Script().text("All of it").finish().cut(),), outcome="complete", text="All of it",
        ),
        FailureCase(
            name="open after the reason", happens="The stream stays open after `finish_reason`. It is left after 5 seconds.",
            scripts=(Script().text("All of it").finish().hold(),), outcome="complete", text="All of it",
        ),
        FailureCase(
            name="content filter", happens="The runner's content filter stops the reply (`finish_reason` `content_filter`).",
            scripts=(Script().text("So far").complete("content_filter"),), outcome="truncated", code="content_filter", text="So far",
            says="The model runner's content filter stopped the reply." + KEPT, page="Cut off by the model's content filter",
        ),
        FailureCase(
            name="without an end", happens="The runner does not stop. After 2,000,000 characters Verbatim does.",
            scripts=(_far_too_much(),), outcome="interrupted", code="reply_too_long", text=A_LOT * 19,
            says="The reply went beyond 2,000,000 characters and was stopped. Ask for a shorter one." + KEPT,
        ),
    ),
)  # fmt: skip

ERRORS_INSIDE: Final = Section(
    "An error inside the stream",
    "The status was 200, and words may have come: they are kept, and nothing is tried again.",
    (
        FailureCase(
            name="error object", happens="A piece `{\"error\": {\"message\": …}}`.",
            scripts=(Script().text("So far").error(message="out of memory").done(),), code="runner_error", text="So far",
            says=WHILE_WRITING + "out of memory." + KEPT,
        ),
        FailureCase(
            name="error text", happens="A piece `{\"error\": \"…\"}`.",
            scripts=(Script().text("So far").data({"error": "out of memory"}),), code="runner_error", text="So far",
            says=WHILE_WRITING + "out of memory." + KEPT,
        ),
        FailureCase(
            name="flat error piece", happens="A flat piece `{\"object\": \"error\", \"message\": …}` (older vLLM).",
            scripts=(Script().text("So far").data({"object": "error", "message": "engine is dead", "code": 500}),),
            code="runner_error", text="So far", says=WHILE_WRITING + "engine is dead." + KEPT,
        ),
        FailureCase(
            name="error event", happens="An event of the type `error` with plain text.",
            scripts=(Script().text("So far").raw(b"event: error\ndata: backend EOF\n\n"),), code="runner_error", text="So far",
            says=WHILE_WRITING + "backend EOF." + KEPT,
        ),
        FailureCase(
            name="error field", happens="A field `error: {…}` in the place of `data:` (llama.cpp).",
            scripts=(Script().text("So far").raw(b'error: {"code": 500, "message": "decode failed!"}\n\n'),),
            code="runner_error", text="So far", says=WHILE_WRITING + "decode failed!" + KEPT,
        ),
        FailureCase(
            name="error with words", happens="An error in the same piece as the last words.",
            scripts=(Script().text("So ").data(chunk("far", error={"message": "out of memory"})),), code="runner_error",
            text="So far", says=WHILE_WRITING + "out of memory." + KEPT,
        ),
        FailureCase(
            name="error before the first word", happens="An error as the first piece.",
            scripts=(Script().error(message="out of memory"),), code="runner_error", says=WHILE_WRITING + "out of memory.",
        ),
        FailureCase(
            name="loading inside the stream", happens="An error of the type `unavailable_error` as the first piece.",
            scripts=(Script().data(LOADING),), code="runner_loading",
            says=OPENED + "is still loading the model. Wait a moment, then retry.",
        ),
        FailureCase(
            name="piece that is no JSON", happens="A piece that is no JSON.",
            scripts=(Script().text("So far").raw(b"data: {nonsense\n\n"),), code="bad_response", text="So far",
            says=UNREADABLE + "a piece of the stream is not JSON: {{nonsense." + CHECK_VERSION + KEPT,
        ),
        FailureCase(
            name="piece without an end", happens="A piece of more than 4,194,304 characters.",
            scripts=(Script().text("So far").raw(b"data: " + b"x" * (5 * 2**20)),), code="bad_response", text="So far",
            says=UNREADABLE + "a piece of the stream has more than 4,194,304 characters." + CHECK_VERSION + KEPT,
        ),
    ),
)  # fmt: skip

CANCELLING: Final = Section(
    "Somebody stops the reply",
    "From any tab, any device, or the HTTP interface. The connection to the runner is closed at once, so that it can serve\n"
    "somebody else.",
    (
        FailureCase(
            name="cancelled in the queue", happens="Stopped while it waits for its turn. The runner is never asked.",
            asked="narrow", outcome="cancelled", attempts=0, cancel="queued", page="Stopped before the first word.",
        ),
        FailureCase(
            name="cancelled before the first word", happens="Stopped while the runner has not answered.",
            scripts=(Script().never(),), outcome="cancelled", cancel="asked", page="Stopped before the first word.",
        ),
        FailureCase(
            name="cancelled while it reads", happens="Stopped while the runner reads the conversation.",
            scripts=(Script().data(PROGRESS).hold(),), outcome="cancelled", cancel="reading",
            page="Stopped before the first word.",
        ),
        FailureCase(
            name="cancelled in mid-reply", happens="Stopped while words come.",
            scripts=(Script().text("So far").hold().text(" and no further").complete(),), outcome="cancelled", text="So far",
            cancel="writing", page="Stopped",
        ),
        FailureCase(
            name="cancelled between two attempts", happens="Stopped in the pause before the next attempt.",
            scripts=(Script().respond(429, "", **{"Retry-After": "30"}),), outcome="cancelled", cancel="pausing",
            page="Stopped before the first word.", again=AGAIN_BUSY.partition(":")[0] + ", until it is stopped",
        ),
    ),
)  # fmt: skip
