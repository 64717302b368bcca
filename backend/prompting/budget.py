"""Which earlier messages still fit into a model's context, decided before a call and recorded with it.

Policy keep-latest, version 1: as long as everything fits, everything is sent, or everything since the
last cut. When it no longer fits, the oldest turns are left out until 60 % of the room is used, so that
the next prompts begin like this one and a runner can reuse what it has computed. Pure arithmetic on
counts: nobody is asked. What was decided stays valid for a recorded call whatever becomes of this rule.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from backend.domain.errors import PromptTooLong
from backend.domain.prompt_request import Trimming

POLICY: Final = "keep-latest"
POLICY_VERSION: Final = 1

CUT_TO: Final = 0.6
RESERVE_LIMIT: Final = 1024
"""Tokens kept free for a reply whose max_tokens is not set, or a quarter of the context if that is less."""
BYTES_PER_TOKEN: Final = 3.0
"""A cautious guess, for a branch of which no runner has counted anything yet."""
MOST_BYTES_PER_TOKEN: Final = 8.0
"""A generous one: a message that does not fit even so is refused."""
TOKENS_PER_MESSAGE: Final = 8
"""What a chat template adds around a message."""


@dataclass(frozen=True)
class MessageSize:
    message_id: UUID
    role: str
    length: int


@dataclass(frozen=True)
class EarlierCall:
    """The nearest call on the branch: where it cut, how much it sent, and how many tokens that was.

    text_length: in the measure in which the branch's lengths are given. prompt_tokens: None for no count.
    """

    first_kept_message_id: UUID | None
    text_length: int
    prompt_tokens: int | None


@dataclass(frozen=True)
class Room:
    """context_tokens: for prompt and reply together, None where nobody knows. max_tokens: of the reply."""

    context_tokens: int | None
    max_tokens: int | None

    @property
    def for_prompt(self) -> int | None:
        if self.context_tokens is None:
            return None
        reserve = min(RESERVE_LIMIT, self.context_tokens // 4)
        if self.max_tokens is not None:
            reserve = min(self.max_tokens, self.context_tokens // 2)
        return self.context_tokens - reserve


def plan_cut(
    room: Room,
    *,
    system_length: int,
    branch: Sequence[MessageSize],
    earlier: EarlierCall | None,
    tighter: bool = False,
) -> Trimming | None:
    """Which messages to send of a branch; None for all of them.

    branch: first message first, ending with the one to answer. tighter: leave out more than the earlier
    call did, which a runner has refused. Raises PromptTooLong where even the last turn does not fit.
    """
    measure = _Measure(system_length, branch, earlier)
    start = measure.place_of(earlier.first_kept_message_id if earlier else None)
    limit = room.for_prompt
    if not tighter and (limit is None or measure.tokens(start) <= limit):
        return None if start == 0 else measure.trimming(start, room)
    sent = measure.tokens(start)
    target = CUT_TO * (sent if limit is None else min(sent, limit) if tighter else limit)
    turns = [place for place, size in enumerate(branch) if size.role == "user"]
    last_turn = turns[-1] if turns else 0
    for place in turns:
        if place > start and measure.tokens(place) <= target:
            return measure.trimming(place, room)
    least = measure.least_tokens(last_turn)
    if (tighter and last_turn <= start) or (limit is not None and least > limit):
        raise PromptTooLong(needed_tokens=least, context_tokens=room.context_tokens or sent)
    return None if last_turn == 0 else measure.trimming(last_turn, room)


class _Measure:
    """Tokens of the branch from any message on, by what a runner has counted or else by a guess."""

    def __init__(
        self, system_length: int, branch: Sequence[MessageSize], earlier: EarlierCall | None
    ) -> None:
        self._branch = branch
        self._counted = earlier is not None and bool(earlier.prompt_tokens) and earlier.text_length > 0
        per_token = BYTES_PER_TOKEN
        if earlier is not None and earlier.prompt_tokens and earlier.text_length > 0:
            per_token = max(earlier.text_length / earlier.prompt_tokens, 0.25)
        self._per_token = per_token
        self._lengths = [system_length]
        for size in reversed(branch):
            self._lengths.append(self._lengths[-1] + size.length)
        self._lengths.reverse()

    def place_of(self, message_id: UUID | None) -> int:
        for place, size in enumerate(self._branch):
            if size.message_id == message_id:
                return place
        return 0

    def tokens(self, start: int) -> int:
        """What the system prompt and the messages from `start` on come to."""
        return self._tokens(start, self._per_token)

    def least_tokens(self, start: int) -> int:
        return self._tokens(start, self._per_token if self._counted else MOST_BYTES_PER_TOKEN)

    def _tokens(self, start: int, per_token: float) -> int:
        # Counts of runners have the template's tokens in them already.
        around = 0 if self._counted else TOKENS_PER_MESSAGE * (len(self._branch) - start + 1)
        return int(self._lengths[start] / per_token) + around

    def trimming(self, start: int, room: Room) -> Trimming:
        return Trimming(
            policy=POLICY,
            policy_version=POLICY_VERSION,
            first_kept_message_id=self._branch[start].message_id,
            omitted_count=start,
            counted_tokens=self.tokens(start),
            context_tokens=room.context_tokens or 0,
        )
