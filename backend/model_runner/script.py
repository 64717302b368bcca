"""What the scripted runner plays: steps as data, made in Python or read from JSON. Pure."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

Step = dict[str, Any]

# What each step needs besides `do`; everything else it may hold is optional.
STEP_FIELDS: Mapping[str, tuple[tuple[str, type | tuple[type, ...]], ...]] = {
    "headers": (),
    "role": (),
    "text": (("text", str),),
    "reasoning": (("text", str),),
    "tool_call": (("index", int),),
    "finish": (("reason", str),),
    "usage": (("prompt_tokens", int), ("completion_tokens", int)),
    "done": (),
    "error": (("error", (dict, str)),),
    "data": (("value", object),),
    "raw": (("base64", str),),
    "socket": (("base64", str),),
    "ping": (),
    "sleep": (("ms", (int, float)),),
    "hold": (),
    "cut": (),
    "hang_up": (),
    "end": (),
    "respond": (("status", int),),
    "never": (),
}


class BadScript(ValueError):
    """A script that cannot be played; the text says which step."""


@dataclass
class Script:
    """The answer to one request. Methods add a step and return the script: `Script().text("Hi").finish()`."""

    steps: list[Step] = field(default_factory=list)

    def _add(self, do: str, **values: Any) -> Self:
        self.steps.append({"do": do, **values})
        return self

    def headers(self) -> Self:
        """Status 200 and the headers of a stream, and nothing else yet."""
        return self._add("headers")

    def role(self) -> Self:
        """A chunk that says once more who speaks, with content null."""
        return self._add("role")

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

    def tool_call(
        self, index: int, *, call_id: str | None = None, name: str | None = None, arguments: str = ""
    ) -> Self:
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

    def socket(self, data: bytes) -> Self:
        """Bytes as they stand on the connection, outside any HTTP: for answers that are none."""
        return self._add("socket", base64=base64.b64encode(data).decode())

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

    def hang_up(self) -> Self:
        """Close the connection in order, but without HTTP's end of the answer."""
        return self._add("hang_up")

    def end(self) -> Self:
        """End the stream cleanly, here."""
        return self._add("end")

    def respond(
        self, status: int, body: Any = b"", content_type: str = "application/json", **headers: str
    ) -> Self:
        """A whole answer instead of a stream. body: bytes, text, or a value sent as JSON. headers: `location="…"`."""
        step: Step = {"status": status, "content_type": content_type, "headers": headers}
        if isinstance(body, bytes):
            step["base64"] = base64.b64encode(body).decode()
        else:
            step["body"] = body
        return self._add("respond", **step)

    def never(self) -> Self:
        """Take the request and never answer."""
        return self._add("never")


def script_of_json(value: Any) -> Script:
    """Read `{"steps": [{"do": …}, …]}`. Raises BadScript."""
    steps = value.get("steps") if isinstance(value, Mapping) else None
    if not isinstance(steps, list):
        raise BadScript('A script is an object with a list `steps`, such as {"steps": [{"do": "never"}]}.')
    for place, step in enumerate(steps):
        if not isinstance(step, dict) or step.get("do") not in STEP_FIELDS:
            raise BadScript(
                f"Step {place} must name one of {', '.join(STEP_FIELDS)} under `do`; found {step!r}."
            )
        for name, kind in STEP_FIELDS[step["do"]]:
            if name not in step or not isinstance(step[name], kind):
                raise BadScript(f"Step {place} ({step['do']}) needs `{name}`; found {step!r}.")
        if "base64" in step:
            try:
                base64.b64decode(step["base64"], validate=True)
            except (ValueError, TypeError):
                raise BadScript(f"Step {place} ({step['do']}) has no valid `base64`.") from None
    return Script(list(steps))


def scripts_of_json(value: Any) -> tuple[list[Script], Script | None]:
    """Read `{"scripts": [script, …], "always": script or null}`, both optional. Raises BadScript."""
    if not isinstance(value, Mapping):
        raise BadScript("Expected an object with `scripts`, `always` or both.")
    scripts = value.get("scripts", [])
    if not isinstance(scripts, list):
        raise BadScript("`scripts` must be a list of scripts.")
    always = value.get("always")
    return [script_of_json(script) for script in scripts], None if always is None else script_of_json(always)


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
    script = Script().words(reply, delay_ms=delay_ms)
    word_count = len(script.steps)
    return script.finish().usage(prompt_tokens=len(str(messages)) // 4, completion_tokens=word_count).done()
