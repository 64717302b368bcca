"""The way from the runner to the program: in order, a few pieces long, and with an end."""

from __future__ import annotations

import asyncio

import pytest

from backend.application.runner_port import AsWritten
from backend.model_calls import live_reply as endings
from backend.model_calls.live_reply import LiveReply
from backend.model_calls.passage import HELD, Ended, Passage

END = Ended(endings.CANCELLED, LiveReply(), recorded=True)


@pytest.mark.asyncio
async def test_pieces_come_in_order_and_the_end_after_all_of_them() -> None:
    passage = Passage()
    for number in range(3):
        await passage.give(AsWritten(str(number)))
    passage.end(END)
    passage.end(Ended(endings.CANCELLED, LiveReply(), recorded=False))
    assert [await passage.take() for _ in range(3)] == [AsWritten("0"), AsWritten("1"), AsWritten("2")]
    assert await passage.take() is END
    assert await passage.take() is END


@pytest.mark.asyncio
async def test_who_takes_waits_for_the_next_piece() -> None:
    passage = Passage()
    taking = asyncio.create_task(passage.take())
    await asyncio.sleep(0)
    assert not taking.done()
    await passage.give(AsWritten("late"))
    assert await taking == AsWritten("late")


@pytest.mark.asyncio
async def test_a_slow_reader_holds_the_giver_back() -> None:
    passage = Passage()
    given = 0

    async def give_many() -> None:
        nonlocal given
        for number in range(10 * HELD):
            await passage.give(AsWritten(str(number)))
            given += 1

    giving = asyncio.create_task(give_many())
    await asyncio.sleep(0.01)
    assert given == HELD - 1
    for number in range(10 * HELD):
        assert await passage.take() == AsWritten(str(number))
    await giving


@pytest.mark.asyncio
async def test_waiting_for_a_piece_can_be_given_up_without_losing_one() -> None:
    passage = Passage()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await passage.take()
    await passage.give(AsWritten("kept"))
    assert await passage.take() == AsWritten("kept")
