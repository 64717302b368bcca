"""The calls whose chunks some open stream wants, and how those get on that have not begun yet.

One registry for each hub. Remembers who follows what, so that a notification finds its streams at once;
reads nothing and renders the frames of states that are never stored.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import UTC
from typing import Final
from uuid import UUID

from backend.api import live_frames
from backend.api.live_subscription import CallState, Subscription
from backend.model_calls.queue import Place

WAITS_LONG_S: Final = 0.5
TELL_AGAIN_S: Final = 1.0


@dataclass(slots=True)
class FollowedCall:
    """begun: a worker has it, so there is no place in a queue to tell of."""

    call_id: UUID
    reply_id: UUID | None
    conversation_id: UUID | None
    followers: set[Subscription] = field(default_factory=set)
    begun: bool = False
    waits_since: float = field(default_factory=time.monotonic)
    told: Place | None = None
    told_at: float = 0.0


class FollowedCalls:
    """By the call's id as notifications spell it."""

    def __init__(self) -> None:
        self._calls: dict[str, FollowedCall] = {}

    def follow(
        self, subscription: Subscription, call_id: UUID, reply_id: UUID | None, conversation_id: UUID | None
    ) -> bool:
        """Hand this call's chunks to the stream from now on. False where it does so already."""
        call = self._calls.setdefault(str(call_id), FollowedCall(call_id, reply_id, conversation_id))
        if subscription in call.followers:
            return False
        call.followers.add(subscription)
        subscription.calls.add(call_id)
        return True

    def unfollow(self, subscription: Subscription, call_id: UUID) -> None:
        subscription.calls.discard(call_id)
        call = self._calls.get(str(call_id))
        if call is not None:
            call.followers.discard(subscription)
            if not call.followers:
                del self._calls[str(call_id)]

    def get(self, call_id: str) -> FollowedCall | None:
        return self._calls.get(call_id)

    def waits_again(self, call_id: UUID) -> None:
        """An attempt has failed, and the call is back in the queue."""
        call = self._calls.get(str(call_id))
        if call is not None:
            call.begun, call.told, call.waits_since = False, None, time.monotonic()

    def waiting(self) -> list[UUID]:
        """Calls that have waited so long that somebody may ask why."""
        limit = time.monotonic() - WAITS_LONG_S
        return [call.call_id for call in self._calls.values() if not call.begun and call.waits_since <= limit]

    def tell_places(self, asked: list[UUID], places: dict[UUID, Place]) -> None:
        """Tell the followers of these calls where they stand: what is new, and the rest about once a second."""
        now = time.monotonic()
        for call_id in asked:
            call = self._calls.get(str(call_id))
            if call is None or call.begun:
                continue
            place = places.get(call_id)
            if place is None:
                call.begun = True  # it has left the queue
            elif place != call.told or now - call.told_at >= TELL_AGAIN_S:
                call.told, call.told_at = place, now
                tell(call, _queued(place))

    def tell_prefill(self, call: FollowedCall, processed: int, total: int) -> None:
        call.begun = True
        tell(call, {"state": "prefill", "processed": processed, "total": total})


def tell(call: FollowedCall, state: dict[str, object]) -> None:
    """Send a state that is not stored to every stream that follows the call."""
    body = live_frames.frame_body(
        "call",
        {
            "conversation_id": None if call.conversation_id is None else str(call.conversation_id),
            "call_id": str(call.call_id),
            "reply_id": None if call.reply_id is None else str(call.reply_id),
            **state,
        },
    )
    for subscription in call.followers:
        subscription.put_state(CallState(call.call_id, body))


def _queued(place: Place) -> dict[str, object]:
    retry_at = None
    if place.place is None:
        retry_at = place.not_before.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return {
        "state": "queued",
        "place": place.place,
        "waiting": place.waiting,
        "runner": place.runner,
        "retry_at": retry_at,
    }
