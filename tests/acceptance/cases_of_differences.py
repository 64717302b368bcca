"""What runners do differently without failing, and what none of them should ever be sent."""

from __future__ import annotations

import gzip
import json
from typing import Final

from backend.model_runner.script import Script
from tests.acceptance.failure_case import FailureCase, RefusedBefore, Section, chunk

_WAVE: Final = b'data: {"choices":[{"delta":{"content":"Hi \xf0\x9f\x91\x8b"}}]}\n\n'
_WHOLE: Final = (
    b'data: {"choices":[{"delta":{"content":"All of it."},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
)
_HALF_WAY: Final = _WAVE.index(b"\x9f") + 1


def _every_style() -> Script:
    """The same words in every way the specification of server-sent events allows."""

    def piece(text: str) -> str:
        return json.dumps(chunk(text), ensure_ascii=False)

    opened, closed = piece("in two lines, ").split("[", 1)
    lines = (
        f"\ufeff: a comment\r\ndata: {piece('CRLF, ')}\r\n\r\n",
        "data:\n\ndata\n\n: another\n\n",
        f"data:{piece('CR alone, ')}\r\r",
        f"id: 1\nretry: 5\nunknown: yes\ndata: {opened}\ndata: [{closed}\n\n",
        f"event: message\ndata: {piece('and done.')}\n\n",
    )
    script = Script()
    for line in lines:
        script.raw(line.encode())
    return script.complete()


def _tools() -> Script:
    script = (
        Script()
        .tool_call(0, call_id="a", name="look")
        .tool_call(1, call_id="b", name="add", arguments='{"n"')
    )
    return (
        script.tool_call(0, name="up", arguments="{}").tool_call(1, arguments=": 1}").complete("tool_calls")
    )


def _usage(prompt: int | None, completion: int | None, source: str) -> dict[str, object]:
    return {"usage": {"prompt_tokens": prompt, "completion_tokens": completion}, "usage_source": source}


DIFFERENCES: Final = Section(
    "Differences that are no failures",
    "Runners read the same protocol in different ways. None of these changes the reply.",
    (
        FailureCase(
            name="every style of events",
            happens="Comments, empty `data:`, CRLF, CR, data of several lines, unknown fields, a byte order mark.",
            scripts=(_every_style(),), outcome="complete", text="CRLF, CR alone, in two lines, and done.",
        ),
        FailureCase(
            name="character over two reads", happens="A character whose bytes come in two TCP reads.",
            scripts=(Script().raw(_WAVE[:_HALF_WAY]).sleep(50).raw(_WAVE[_HALF_WAY:]).complete(),), outcome="complete", text="Hi 👋",
        ),
        FailureCase(
            name="character over two pieces", happens="A character whose two escaped halves (`\\ud83d`, `\\udc4b`) come in two pieces.",
            scripts=(
                Script().raw(b'data: {"choices":[{"delta":{"content":"Hi \\ud83d"}}]}\n\n')
                .raw(b'data: {"choices":[{"delta":{"content":"\\udc4b!"}}]}\n\n').complete(),
            ),
            outcome="complete", text="Hi 👋!",
        ),
        FailureCase(
            name="half a character", happens="Half a character that stays alone, or a NUL, which no database can hold.",
            scripts=(
                Script().raw(b'data: {"choices":[{"delta":{"content":"a\\ud83d"}}]}\n\n')
                .raw(b'data: {"choices":[{"delta":{"content":"b\\u0000c"}}]}\n\n').complete(),
            ),
            outcome="complete", text="a\ufffdb\ufffdc", stored="the replacement character `U+FFFD` in its place",
        ),
        FailureCase(
            name="usage after the reason", happens="The usage comes in a piece of its own with `choices: []`, after `finish_reason`.",
            scripts=(Script().text("Counted.").finish().sleep(100).usage(21, 3).done(),), outcome="complete", text="Counted.",
            recorded=_usage(21, 3, "runner"), stored="the usage",
        ),
        FailureCase(
            name="usage is null", happens="The usage is `null`, or missing.",
            scripts=(Script().text("Not counted.").finish().data({"choices": [], "usage": None}).done(),), outcome="complete",
            text="Not counted.", recorded=_usage(None, None, "none"), stored="no usage",
        ),
        FailureCase(
            name="null and repeated roles", happens="`content: null` in the first piece; the role again in later ones.",
            scripts=(Script().role().text("One").role().text(" reply").complete(),), outcome="complete", text="One reply",
        ),
        FailureCase(
            name="reasoning", happens="Reasoning under `reasoning_content` (llama.cpp) or `reasoning` (vLLM).",
            scripts=(
                Script().reasoning("Let me ").reasoning("see", field_name="reasoning").text("Yes.").complete(),
            ),
            outcome="complete", text="Yes.", reasoning="Let me see", stored="never sent back to a model",
        ),
        FailureCase(
            name="tool calls", happens="Tool calls in fragments, by their index.",
            scripts=(_tools(),), outcome="complete",
            tool_calls=(
                {"id": "a", "type": "function", "function": {"name": "lookup", "arguments": "{}"}},
                {"id": "b", "type": "function", "function": {"name": "add", "arguments": '{"n": 1}'}},
            ),
            recorded={"finish_reason": "tool_calls"},
        ),
        FailureCase(
            name="another model", happens="Another model answers than the one that was asked for (llama.cpp ignores the name).",
            scripts=(Script().data(chunk("Me.", model="what-was-loaded", id="1")).complete(),), outcome="complete", text="Me.",
            recorded={"response_model": "what-was-loaded", "model": "scripted-model", "response_id": "1"},
            stored="both names, `model` and `response_model`",
        ),
        FailureCase(
            name="an id again", happens="A response id that was there before (Ollama's are not unique).",
            scripts=(Script().data(chunk("Again.", model="what-was-loaded", id="1")).complete(),), outcome="complete", text="Again.",
            recorded={"response_id": "1"}, stored="it is never used as a key",
        ),
        FailureCase(
            name="a reason of its own", happens="A `finish_reason` that no other runner knows.",
            scripts=(Script().text("The end.").complete("eos_token"),), outcome="complete", text="The end.",
            recorded={"finish_reason": "eos_token"}, stored="the reason as it was told",
        ),
        FailureCase(
            name="after done", happens="More after `[DONE]`.",
            scripts=(Script().text("The end.").complete().text(" Or not.").error(message="late"),), outcome="complete", text="The end.",
            stored="nothing of what came later",
        ),
        FailureCase(
            name="nothing but an end", happens="`finish_reason` without any words.",
            scripts=(Script().complete(),), outcome="complete", page="an empty reply",
        ),
        FailureCase(
            name="progress of reading", happens="The runner tells how much of the prompt it has read (llama.cpp).",
            scripts=(
                Script().data({"choices": [], "prompt_progress": {"total": 900, "processed": 450}})
                .data({"choices": [], "prompt_progress": {"total": 900, "processed": 900}}).text("Read.").complete(),
            ),
            outcome="complete", text="Read.", page="“Reading the conversation…”, then the reply",
        ),
        FailureCase(
            name="content in parts", happens="Content as a list of parts instead of a text.",
            scripts=(
                Script().data({"choices": [{"delta": {"content": [{"type": "text", "text": "In "}, {"type": "text", "text": "parts."}]}}]})
                .complete(),
            ),
            outcome="complete", text="In parts.",
        ),
        FailureCase(
            name="refusal", happens="The model refuses to answer, and says so in a field of its own (`refusal`).",
            scripts=(Script().data({"choices": [{"delta": {"refusal": "I cannot help with that."}}]}).complete(),),
            outcome="complete", text="I cannot help with that.",
        ),
        FailureCase(
            name="compressed", happens="A stream that is compressed, though nobody asked for it.",
            scripts=(
                Script().respond(
                    200, gzip.compress(_WHOLE), "text/event-stream", **{"Content-Encoding": "gzip"}
                ),
            ),
            outcome="complete", text="All of it.",
        ),
        FailureCase(
            name="ends with the connection", happens="An answer of HTTP/1.0, whose end is that of the connection.",
            scripts=(
                Script().socket(b"HTTP/1.0 200 OK\r\nContent-Type: text/event-stream\r\n\r\n" + _WHOLE).hang_up(),
            ),
            outcome="complete", text="All of it.",
        ),
        FailureCase(
            name="not streamed", happens="One JSON object instead of a stream.",
            scripts=(
                Script().respond(200, {
                    "choices": [{"message": {"role": "assistant", "content": "All at once."}, "finish_reason": "stop"}],
                    "usage": {"prompt_tokens": 5, "completion_tokens": 4},
                }),
            ),
            outcome="complete", text="All at once.", recorded=_usage(5, 4, "runner"),
        ),
    ),
)  # fmt: skip

REFUSED: Final = (
    RefusedBefore(
        name="empty message", happens="A message without words.",
        changes={"content": " \n"}, status=400, code="content_empty",
        says="The message is empty. Write something other than spaces and send again.",
    ),
    RefusedBefore(
        name="text that cannot be stored", happens="A text that no database can hold: NUL, or half of a character.",
        changes={"content": "a\x00b"}, status=400, code="text_invalid",
        says="This text contains a NUL character, which cannot be stored. Remove it and send again.",
    ),
    RefusedBefore(
        name="message too large", happens="A message of more than 256 KB.",
        changes={"content": "x" * 262_145}, status=400, code="text_too_long",
        says="This text has 262,145 bytes in UTF-8; the limit is 262,144 bytes.",
    ),
    RefusedBefore(
        name="longer than the context", happens="A message that is longer than the model takes, as far as that is known.",
        changes={"content": "many words " * 9_000}, status=400, code="prompt_too_long",
        says="Shorten the message or the system prompt, lower max_tokens, or choose a model with a larger context.",
    ),
    RefusedBefore(
        name="negative temperature", happens="A parameter out of its range, such as a negative temperature.",
        changes={"params": {"temperature": -1}}, status=400, code="parameter_invalid",
        says="temperature must be a number from 0 to 2; found -1. Change it and send again.",
    ),
    RefusedBefore(
        name="unknown parameter", happens="A parameter that is not known.",
        changes={"params": {"temprature": 1}}, status=400, code="parameter_invalid",
        says="temprature must be one of the known parameters",
    ),
    RefusedBefore(
        name="a role", happens="A role: messages are written by people, replies by models.",
        changes={"role": "tool"}, status=400, code="invalid_input", says="This field is not known here.",
    ),
)  # fmt: skip
