"""What a case of a failing runner is: what the runner does, what must be stored, and what a person must be told.

The same data is played by the tests and written down in docs/failures.md, so that neither can drift from the other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from backend.model_runner.script import Script

Asked = Literal["scripted", "gone", "nowhere", "full", "secure", "narrow"]
"""Who is asked: the scripted runner; a port where nobody listens; a host that does not exist; a listener that takes no
connection; the scripted runner over TLS, which it does not speak; and as one that takes a single call at a time."""

CancelledAt = Literal["queued", "asked", "reading", "writing", "pausing"]

NOT_AGAIN: Final = "no"
AGAIN_UNREACHABLE: Final = "yes: 2 more times, after 0.5 and 2 s"
AGAIN_LOADING: Final = "yes: for about 5 minutes, after 1, 2, 4, 8, 16 and then every 30 s"
AGAIN_BUSY: Final = (
    "yes: 4 more times, after 1, 2, 4 and 8 s; later where the runner's `Retry-After` says so (at most 30 s)"
)

OPENED: Final = "The model runner at {runner} "
"""How most texts begin; the place is filled in by whoever shows or compares them."""


@dataclass(frozen=True, kw_only=True)
class FailureCase:
    """One way in which a runner fails, or differs from others without failing.

    happens: for the reader. scripts: what the runner plays, one for each attempt. refuse_s: it takes no connections for
    so long before. says: the stored words, with {runner}, {first_token} and {silence} to be filled in; empty where
    there is no error. page: what the page shows where it is not `says`. text, reasoning, tool_calls: of the reply.
    recorded: further fields of the call, and stored: the same for the reader. pauses: the shortest times between attempts.
    """

    name: str
    happens: str
    scripts: tuple[Script, ...] = ()
    asked: Asked = "scripted"
    refuse_s: float = 0.0
    outcome: str = "failed"
    code: str | None = None
    says: str = ""
    page: str = ""
    http_status: int | None = None
    text: str = ""
    reasoning: str = ""
    tool_calls: tuple[dict[str, Any], ...] = ()
    attempts: int = 1
    again: str = NOT_AGAIN
    pauses: tuple[float, ...] = ()
    recorded: Mapping[str, object] = field(default_factory=dict)
    stored: str = ""
    cancel: CancelledAt | None = None

    @property
    def is_error_of_the_call(self) -> bool:
        """A reply that was truncated has a reason, but its call went as the runner meant it."""
        return self.code is not None and self.outcome != "truncated"


@dataclass(frozen=True, kw_only=True)
class RefusedBefore:
    """What no runner should ever be sent: the command is refused, and nothing is stored.

    changes: what the body of an otherwise good message has instead. says: words of the answer's `detail`.
    """

    name: str
    happens: str
    changes: Mapping[str, Any]
    status: int
    code: str
    says: str


@dataclass(frozen=True)
class Section:
    """Cases that belong together, under one heading."""

    title: str
    introduction: str
    cases: tuple[FailureCase, ...]


def chunk(text: str, **others: Any) -> dict[str, Any]:
    """A piece of a stream with this text, and nothing that it need not have."""
    return {"choices": [{"index": 0, "delta": {"content": text}}], **others}


SERVED: Final = Script().text("Here I am.").complete()
"""A reply as it should be, for attempts that succeed after others."""
