"""The policy keep-latest: where a branch is cut, when it is cut again, and what does not fit at all."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.domain.errors import PromptTooLong
from backend.domain.prompt_request import Trimming
from backend.prompting.budget import (
    BYTES_PER_TOKEN,
    CUT_TO,
    MOST_BYTES_PER_TOKEN,
    EarlierCall,
    MessageSize,
    Room,
    plan_cut,
)
from tests.support.facts import message_id
from tests.support.given import refusal_of

COUNTED = 4
"""Bytes per token where a runner is said to have counted."""


def branch_of(*lengths: int) -> list[MessageSize]:
    """User, reply, user, reply…, with so many bytes of text."""
    return [
        MessageSize(message_id(place), "assistant" if place % 2 else "user", length)
        for place, length in enumerate(lengths)
    ]


def counted(cut: int | None = None, *, text_length: int = 4000) -> EarlierCall:
    """An earlier call that sent everything from message `cut` on, at 4 bytes per token."""
    kept = None if cut is None else message_id(cut)
    return EarlierCall(kept, text_length, text_length // COUNTED)


def room(prompt_tokens: int) -> Room:
    """A context with so many tokens of room for the prompt."""
    return Room(prompt_tokens + 10, max_tokens=10)


def cut_at(trimming: Trimming | None) -> int:
    """The number of the first message kept, 0 where all of them are."""
    return 0 if trimming is None else int(str(trimming.first_kept_message_id)[-12:])


# ---- room -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("context", "max_tokens", "expected"),
    [
        (None, None, None),
        (None, 100, None),
        (8192, None, 8192 - 1024),
        (2048, None, 1536),
        (100, None, 75),
        (8192, 100, 8092),
        (8192, 6000, 4096),
    ],
)
def test_room_is_the_context_less_what_is_kept_for_the_reply(
    context: int | None, max_tokens: int | None, expected: int | None
) -> None:
    assert Room(context, max_tokens).for_prompt == expected


# ---- cutting --------------------------------------------------------------------------------


def test_what_fits_is_sent_whole() -> None:
    branch = branch_of(400, 400, 400)
    assert plan_cut(room(300), system_length=0, branch=branch, earlier=counted()) is None
    assert plan_cut(room(300), system_length=400, branch=branch, earlier=counted()) is not None


def test_what_does_not_fit_is_cut_to_sixty_percent_at_a_user_message() -> None:
    branch = branch_of(*[400] * 9)
    found = plan_cut(room(800), system_length=40, branch=branch, earlier=counted())
    # 910 tokens do not fit 800; from message 6 on there are 310, and from message 4 on 510 of the 480 aimed at.
    assert found == Trimming("keep-latest", 1, message_id(6), 6, 310, 810)


def test_the_cut_stays_until_the_room_is_full_again() -> None:
    def cut_of(messages: int, earlier_cut: int) -> Trimming | None:
        branch = branch_of(*[400] * messages)
        return plan_cut(room(800), system_length=0, branch=branch, earlier=counted(earlier_cut))

    assert [cut_at(cut_of(messages, 6)) for messages in (9, 11, 13)] == [6, 6, 6]
    found = cut_of(13, 6)
    assert found is not None
    assert (found.omitted_count, found.counted_tokens) == (6, 700)
    assert cut_at(cut_of(15, 6)) == 12


def test_without_a_count_three_bytes_are_taken_for_a_token() -> None:
    branch = branch_of(*[300] * 5)
    assert plan_cut(room(548), system_length=0, branch=branch, earlier=None) is None
    found = plan_cut(room(547), system_length=0, branch=branch, earlier=None)
    assert found is not None
    assert (cut_at(found), found.counted_tokens) == (4, 116)


def test_the_newest_count_decides_how_long_a_token_is() -> None:
    branch = branch_of(*[300] * 5)
    dense = EarlierCall(None, 300, 300)
    assert cut_at(plan_cut(room(1500), system_length=0, branch=branch, earlier=dense)) == 0
    assert cut_at(plan_cut(room(1499), system_length=0, branch=branch, earlier=dense)) == 4


def test_a_context_of_unknown_size_is_not_cut_but_keeps_an_earlier_cut() -> None:
    unknown = Room(None, None)
    branch = branch_of(*[40_000] * 9)
    assert plan_cut(unknown, system_length=0, branch=branch, earlier=None) is None
    assert plan_cut(unknown, system_length=0, branch=branch, earlier=counted()) is None
    kept = plan_cut(unknown, system_length=0, branch=branch, earlier=counted(4))
    assert kept is not None
    assert (cut_at(kept), kept.context_tokens) == (4, 0)


def test_a_cut_that_is_not_on_this_branch_counts_for_nothing() -> None:
    assert plan_cut(room(9999), system_length=0, branch=branch_of(1, 1, 1), earlier=counted(77)) is None


def test_a_last_turn_above_sixty_percent_is_sent_alone() -> None:
    found = plan_cut(room(100), system_length=0, branch=branch_of(400, 400, 390), earlier=counted())
    assert (cut_at(found), found and found.counted_tokens) == (2, 97)


def test_the_reply_that_is_continued_is_never_cut_from_its_question() -> None:
    branch = branch_of(400, 400, 40, 300)
    assert cut_at(plan_cut(room(100), system_length=0, branch=branch, earlier=counted())) == 2


# ---- what does not fit ----------------------------------------------------------------------


def test_a_last_turn_that_does_not_fit_even_alone_is_refused() -> None:
    refusal = refusal_of(
        lambda: plan_cut(room(100), system_length=0, branch=branch_of(40, 40, 408), earlier=counted()),
        PromptTooLong,
        field="content",
    )
    assert refusal.code == "prompt_too_long"
    assert "about 102 tokens" in str(refusal)
    assert "takes 110" in str(refusal)


def test_without_a_count_only_what_certainly_does_not_fit_is_refused() -> None:
    alone = branch_of(640)
    assert plan_cut(room(96), system_length=0, branch=alone, earlier=None) is None
    refusal_of(
        lambda: plan_cut(room(95), system_length=0, branch=alone, earlier=None),
        PromptTooLong,
        field="content",
    )
    assert 640 / MOST_BYTES_PER_TOKEN + 16 == 96 < 640 / BYTES_PER_TOKEN


def test_a_system_prompt_that_fills_the_room_is_refused_with_any_message() -> None:
    with pytest.raises(PromptTooLong):
        plan_cut(room(100), system_length=8000, branch=branch_of(1), earlier=None)


# ---- a tighter cut --------------------------------------------------------------------------


@pytest.mark.parametrize("context", [None, 4010])
def test_a_tighter_cut_leaves_out_more_each_time_until_nothing_is_left_to_leave_out(
    context: int | None,
) -> None:
    branch = branch_of(*[400] * 31)

    def tighter_than(cut: int) -> int:
        earlier = counted(cut)
        return cut_at(
            plan_cut(Room(context, 10), system_length=0, branch=branch, earlier=earlier, tighter=True)
        )

    cuts = [0]
    while cuts[-1] < 30:
        cuts.append(tighter_than(cuts[-1]))
    with pytest.raises(PromptTooLong):
        tighter_than(30)
    assert cuts == sorted(set(cuts))
    assert len(cuts) > 4


def test_a_tighter_cut_takes_sixty_percent_of_what_was_refused() -> None:
    branch = branch_of(*[400] * 21)
    found = plan_cut(Room(None, None), system_length=0, branch=branch, earlier=counted(), tighter=True)
    assert found is not None
    assert (cut_at(found), found.counted_tokens) == (10, 1100)
    assert found.counted_tokens <= CUT_TO * 2100


def test_a_single_turn_cannot_be_cut_tighter() -> None:
    for branch in (branch_of(400), branch_of(400, 400)):
        with pytest.raises(PromptTooLong):
            plan_cut(Room(None, None), system_length=0, branch=branch, earlier=counted(), tighter=True)


# ---- laws -----------------------------------------------------------------------------------

LENGTHS = st.lists(st.integers(0, 3000), min_size=1, max_size=40)
ROOMS = st.builds(Room, st.none() | st.integers(200, 6000), st.none() | st.integers(1, 6000))


@given(
    LENGTHS, ROOMS, st.integers(0, 2000), st.integers(0, 50), st.booleans(), st.none() | st.integers(1, 9000)
)
def test_a_cut_is_at_a_user_message_fits_and_is_decided_alike_each_time(
    lengths: list[int], given_room: Room, system: int, cut: int, tighter: bool, tokens: int | None
) -> None:
    branch = branch_of(*lengths)
    earlier = EarlierCall(message_id(cut // 2 * 2), 4000, tokens)

    def plan() -> Trimming | None:
        return plan_cut(given_room, system_length=system, branch=branch, earlier=earlier, tighter=tighter)

    try:
        found = plan()
    except PromptTooLong:
        with pytest.raises(PromptTooLong):
            plan()
        return
    assert plan() == found
    if found is None:
        assert not tighter
        return
    kept = cut_at(found)
    assert branch[kept].role == "user"
    assert found.omitted_count == kept > 0
    limit = given_room.for_prompt
    if limit is not None and tokens is not None:
        assert found.counted_tokens <= limit
    if tighter:
        assert kept > cut // 2 * 2 or cut // 2 * 2 >= len(branch)


@given(st.lists(st.integers(1, 600), min_size=20, max_size=120), st.integers(400, 1500))
def test_between_cuts_every_prompt_begins_like_the_one_before(lengths: Sequence[int], limit: int) -> None:
    """A conversation turn by turn: the cut moves only where the last one does not do any more."""
    cut: int = 0
    text: list[int] = []
    moves = 0
    for turn in range(1, len(lengths) + 1, 2):
        text = list(lengths[:turn])
        earlier = EarlierCall(message_id(cut), 4000, 1000)
        kept = cut_at(plan_cut(room(limit), system_length=0, branch=branch_of(*text), earlier=earlier))
        tokens_with_the_old_cut = sum(text[cut:]) // COUNTED
        if tokens_with_the_old_cut <= limit:
            assert kept == cut
        else:
            assert kept > cut
            assert sum(text[kept:]) // COUNTED <= CUT_TO * limit or kept == turn - 1
            earlier_turn = kept - 2
            assert earlier_turn <= cut or sum(text[earlier_turn:]) // COUNTED > CUT_TO * limit
            moves += 1
        cut = kept
    assert moves <= len(lengths) // 2


def test_an_id_is_no_place() -> None:
    """The place of a message is looked up by its id, since a fork's branch begins in another conversation."""
    branch = [MessageSize(UUID(int=place), "user", 400) for place in range(9)]
    earlier = EarlierCall(UUID(int=3), 400, 100)
    found = plan_cut(room(700), system_length=0, branch=branch, earlier=earlier)
    assert found is not None
    assert (found.first_kept_message_id, found.omitted_count) == (UUID(int=3), 3)
