"""What the scripted runner plays: steps as data, made in Python or read from JSON. Pure."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

Step = dict[str, Any]

STEP_KINDS = frozenset(
    {
        "text",
        "reasoning",
        "tool_call",
        "finish",
        "usage",
        "done",
        "error",
        "data",
        "raw",
        "ping",
        "sleep",
        "hold",
        "cut",
        "end",
        "respond",
        "never",
    }
)


class BadScript(ValueError):
    """A script that cannot be played; the text says which step."""


@dataclass
class Script:
    """The answer to one request. Methods add a step and return the script: `Script().text("Hi").finish()`."""

    steps: list[Step] = field(default_factory=list)

    def _add(self, do: str, **values: Any) -> Self:
        self.steps.append({"do": do, **values})
        return self

    def text(self, text: str, *, delay_ms: float = 0) -> Self:
        """A content delta, after a pause."""
        return self._add("text", text=text, delay_ms=delay_ms)

    def words(self, text: str, *, delay_ms: float = 0) -> Self:
        """The text word by word, each as its own delta."""
        words = text.split(" ")
        for place, word in enumerate(words):
            self.text(word if place == len(words) - 1 else word + " ", delay_ms=delay_ms)
        return self

    def reasoning(self, text: str, *, field_name: str = "reasoning_content") -> Self:
        return self._add("reasoning", text=text, field=field_name)

    def tool_call(self, index: int, *, call_id: str | None = None, name: str | None = None, arguments: str = "") -> Self:
        return self._add("tool_call", index=index, id=call_id, name=name, arguments=arguments)

    def finish(self, reason: str = "stop") -> Self:
        return self._add("finish", reason=reason)

    def usage(self, prompt_tokens: int, completion_tokens: int) -> Self:
        return self._add("usage", prompt_tokens=prompt_tokens, completion_tokens=completion_tokens)

    def done(self) -> Self:
        return self._add("done")

    def complete(self, reason: str = "stop") -> Self:
        """finish, usage and done: how a well-behaved server ends."""
        return self.finish(reason).usage(11, 7).done()

    def error(self, **error: Any) -> Self:
        """An error object inside the stream."""
        return self._add("error", error=error)

    def data(self, value: Any) -> Self:
        """Any JSON as one event."""
        return self._add("data", value=value)

    def raw(self, data: bytes) -> Self:
        """Bytes as they stand, outside any event."""
        return self._add("raw", base64=base64.b64encode(data).decode())

    def ping(self) -> Self:
        return self._add("ping")

    def sleep(self, ms: float) -> Self:
        return self._add("sleep", ms=ms)

    def hold(self) -> Self:
        """Wait until the runner is told to release what it holds."""
        return self._add("hold")

    def cut(self) -> Self:
        """Break the connection without an end."""
        return self._add("cut")

    def end(self) -> Self:
        """End the stream cleanly, here."""
        return self._add("end")

    def respond(self, status: int, body: Any = b"", content_type: str = "application/json") -> Self:
        """A whole answer instead of a stream. body: bytes, text, or a value sent as JSON."""
        if isinstance(body, bytes):
            body = body.decode("utf-8")
        return self._add("respond", status=status, body=body, content_type=content_type)

    def never(self) -> Self:
        """Take the request and never answer."""
        return self._add("never")


def script_of_json(value: Any) -> Script:
    """Read `{"steps": [{"do": …}, …]}`. Raises BadScript."""
    steps = value.get("steps") if isinstance(value, Mapping) else None
    if not isinstance(steps, list):
        raise BadScript("A script is an object with a list `steps`.")
    for place, step in enumerate(steps):
        if not isinstance(step, dict) or step.get("do") not in STEP_KINDS:
            raise BadScript(f"Step {place} must name one of {', '.join(sorted(STEP_KINDS))} under `do`; found {step!r}.")
    return Script(list(steps))


def default_script(body: Mapping[str, Any], *, delay_ms: float) -> Script:
    """A short Markdown reply that quotes the last user message, one word at a time."""
    messages = body.get("messages")
    texts = [
        message.get("content")
        for message in (messages if isinstance(messages, list) else [])
        if isinstance(message, Mapping) and message.get("role") == "user"
    ]
    last = str(texts[-1]) if texts else ""
    quoted = last if len(last) <= 200 else last[:200] + "…"
    reply = f"You wrote: **{quoted}**\n\nThis is a scripted reply. It has a list:\n\n- one\n- two\n\nand it ends here."
    words = reply.split(" ")
    script = Script()
    for place, word in enumerate(words):
        script.text(word if place == len(words) - 1 else word + " ", delay_ms=delay_ms)
    return script.finish().usage(prompt_tokens=len(str(messages)) // 4, completion_tokens=len(words)).done()
