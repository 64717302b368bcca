"""The context budget in commands: what is left out, recorded, kept, cut tighter, and refused."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import pytest

from backend.domain import outcomes
from backend.domain.errors import PromptTooLong
from backend.domain.prompt_request import Trimming
from backend.event_store.memory import InMemoryEventStore
from tests.support.core import Core, Sent, message_of, refused
from tests.support.histories import MODEL, SYSTEM


class Models:
    """Contexts by model; a model that is not listed is one of which nobody knows."""

    def __init__(self, **contexts: int) -> None:
        self.contexts = contexts

    def context_tokens(self, runner: str, model: str) -> int | None:
        return self.contexts.get(model)

    def known_models(self) -> frozenset[str] | None:
        return None


@pytest.fixture
def models() -> Models:
    return Models(small=600, big=6000)


@pytest.fixture
def core(store: InMemoryEventStore, models: Models) -> Core:
    return Core(store, models=models, model="small")


def text(number: int, length: int = 300) -> str:
    """A text of its own, that many bytes long."""
    return f"{number}: ".ljust(length, "x")


def turns(core: Core, conversation_id: UUID, numbers: Sequence[int], *, count: bool = True) -> list[Sent]:
    """Turns with long texts; the runner counts four bytes per token."""
    found: list[Sent] = []
    for number in numbers:
        sent = core.send(conversation_id, text(number))
        tokens = core.store.read_call(sent.call_id).body_length // 4 if count else None
        core.answer(sent, text(number), prompt_tokens=tokens)
        found.append(sent)
    return found


def trimming_of(core: Core, sent: Sent) -> Trimming | None:
    return core.request_of(sent.call_id).trimming


def cut_of(core: Core, sent: Sent) -> UUID | None:
    trimming = trimming_of(core, sent)
    return None if trimming is None else trimming.first_kept_message_id


def numbers_sent(core: Core, sent: Sent) -> list[int]:
    """The numbers of the user messages in a prompt, which must be the recorded one."""
    said = [content for role, content in core.prompt_of(sent.call_id) if role == "user"]
    return [int(content.partition(":")[0]) for content in said]


# ---- cutting --------------------------------------------------------------------------------


def test_while_everything_fits_nothing_is_left_out(core: Core) -> None:
    conversation_id = core.start()
    for sent in turns(core, conversation_id, [1, 2]):
        assert trimming_of(core, sent) is None


def test_what_is_left_out_is_recorded_with_the_rule_and_the_counts(core: Core) -> None:
    conversation_id = core.start()
    sent = turns(core, conversation_id, range(1, 7))
    last = next(one for one in sent if trimming_of(core, one) is not None)
    found = trimming_of(core, last)
    assert found is not None
    path = core.conversation(conversation_id).nodes.path(core.request_of(last.call_id).leaf_id)
    assert (found.policy, found.policy_version, found.context_tokens) == ("keep-latest", 1, 600)
    assert path[found.omitted_count].message_id == found.first_kept_message_id
    assert path[found.omitted_count].role == "user"
    assert 0 < found.counted_tokens <= 0.6 * 450
    assert core.prompt_of(last.call_id)[0] == ("system", SYSTEM)
    assert len(core.prompt_of(last.call_id)) == 1 + len(path) - found.omitted_count


def test_the_cut_stays_until_over_again_so_that_prompts_begin_alike(core: Core) -> None:
    conversation_id = core.start()
    sent = turns(core, conversation_id, range(1, 31))
    cuts = [cut_of(core, one) for one in sent]
    moves = [place for place in range(1, len(cuts)) if cuts[place] != cuts[place - 1]]
    assert 3 <= len(moves) <= len(cuts) // 2
    for place in range(1, len(sent)):
        before, now = core.prompt_of(sent[place - 1].call_id), core.prompt_of(sent[place].call_id)
        if place in moves:
            assert len(now) <= len(before)
        else:
            assert now[: len(before)] == before
    assert numbers_sent(core, sent[-1])[-1] == 30
    for one in sent:
        assert core.store.read_call(one.call_id).body_length // 4 <= 450


def test_the_same_story_is_cut_in_the_same_places(models: Models) -> None:
    def told() -> list[Trimming | None]:
        core = Core(InMemoryEventStore(), models=models, model="small")
        return [trimming_of(core, one) for one in turns(core, core.start(), range(1, 15))]

    assert told() == told()


def test_the_runners_counts_decide_rather_than_a_guess(models: Models) -> None:
    def turns_before_the_first_cut(bytes_per_token: int) -> int:
        core = Core(InMemoryEventStore(), models=models, model="small")
        conversation_id = core.start()
        for number in range(1, 50):
            sent = core.send(conversation_id, text(number))
            if trimming_of(core, sent) is not None:
                return number
            length = core.store.read_call(sent.call_id).body_length
            core.answer(sent, text(number), prompt_tokens=length // bytes_per_token)
        raise AssertionError("nothing was ever left out")

    assert turns_before_the_first_cut(2) < turns_before_the_first_cut(4) < turns_before_the_first_cut(8)


def test_without_counts_a_guess_has_to_do(core: Core) -> None:
    conversation_id = core.start()
    sent = turns(core, conversation_id, range(1, 7), count=False)
    assert trimming_of(core, sent[0]) is None
    assert trimming_of(core, sent[-1]) is not None


def test_a_context_of_which_nobody_knows_is_never_cut(core: Core) -> None:
    conversation_id = core.start(model="unknown")
    sent = turns(core, conversation_id, range(1, 12))
    assert {trimming_of(core, one) for one in sent} == {None}
    assert len(numbers_sent(core, sent[-1])) == 11


def test_max_tokens_and_the_system_prompt_take_their_part_of_the_room(core: Core) -> None:
    conversation_id = core.start()
    last = turns(core, conversation_id, [1, 2, 3])[-1]
    assert trimming_of(core, core.regenerate(conversation_id, last.reply_id)) is None
    shorter = core.regenerate(conversation_id, last.reply_id, params={"max_tokens": 290})
    assert trimming_of(core, shorter) is not None
    core.change(conversation_id, system_prompt="x" * 1000)
    assert trimming_of(core, core.regenerate(conversation_id, last.reply_id)) is not None


def test_with_more_room_what_was_left_out_is_sent_again(core: Core) -> None:
    conversation_id = core.start()
    turns(core, conversation_id, range(1, 8))
    sent = core.send(conversation_id, text(8), model="big")
    assert trimming_of(core, sent) is None
    assert numbers_sent(core, sent) == list(range(1, 9))


def test_each_branch_has_its_own_cut(core: Core) -> None:
    conversation_id = core.start()
    sent = turns(core, conversation_id, range(1, 9))
    assert cut_of(core, sent[-1]) == sent[-2].message_id
    early = core.edit(conversation_id, message_of(sent[1]), text(2))
    assert trimming_of(core, early) is None
    late = core.edit(conversation_id, message_of(sent[-1]), text(8))
    assert cut_of(core, late) == cut_of(core, sent[-1])


def test_a_fork_keeps_the_cut_of_the_branch_it_inherits(core: Core) -> None:
    conversation_id = core.start()
    sent = turns(core, conversation_id, range(1, 8))
    core.change(conversation_id, model="unknown")
    fork_id = core.fork(conversation_id, sent[-1].reply_id)
    follow_up = core.send(fork_id, text(8))
    assert cut_of(core, follow_up) == cut_of(core, sent[-1]) is not None
    assert numbers_sent(core, follow_up) == [*numbers_sent(core, sent[-1]), 8]


def test_a_continuation_keeps_the_cut_and_the_question_of_what_it_continues(core: Core) -> None:
    conversation_id = core.start()
    turns(core, conversation_id, range(1, 7))
    sent = core.send(conversation_id, text(7))
    core.answer(sent, text(7, 100), outcomes.TRUNCATED)
    continued = core.continue_reply(conversation_id, sent.reply_id)
    assert numbers_sent(core, continued)[-1] == 7
    assert core.prompt_of(continued.call_id)[-1] == ("assistant", text(7, 100))


# ---- what does not fit ----------------------------------------------------------------------


def test_a_message_that_cannot_fit_is_refused_and_nothing_is_stored(
    core: Core, store: InMemoryEventStore
) -> None:
    conversation_id = core.start()
    sent = turns(core, conversation_id, [1])[0]
    long = "x" * 8000
    for act in (
        lambda: core.send(conversation_id, long),
        lambda: core.edit(conversation_id, message_of(sent), long),
    ):
        refusal = refused(act, PromptTooLong, store)
        assert (refusal.code, list(refusal.fields)) == ("prompt_too_long", ["content"])
        assert "takes 600" in str(refusal)
    assert trimming_of(core, core.send(conversation_id, long, model="big")) is None


# ---- a tighter cut --------------------------------------------------------------------------


def overflowed(core: Core, sent: Sent) -> Sent:
    """The runner refuses a prompt for its length, without saying how much it takes."""
    core.answer(sent, "", outcomes.FAILED)
    return sent


def test_a_tighter_cut_leaves_out_more_each_time_until_only_the_last_turn_is_left(
    core: Core, store: InMemoryEventStore
) -> None:
    conversation_id = core.start(model="unknown")
    turns(core, conversation_id, range(1, 13))
    refused_one = overflowed(core, core.send(conversation_id, text(13)))
    kept = [len(numbers_sent(core, refused_one))]
    for _ in range(8):
        if kept[-1] == 1:
            break
        refused_one = overflowed(
            core, core.regenerate(conversation_id, refused_one.reply_id, tighter_cut=True)
        )
        kept.append(len(numbers_sent(core, refused_one)))
    assert kept[0] == 13
    assert kept[-1] == 1
    assert kept == sorted(set(kept), reverse=True)
    refusal = refused(
        lambda: core.regenerate(conversation_id, refused_one.reply_id, tighter_cut=True), PromptTooLong, store
    )
    assert refusal.code == "prompt_too_long"


@pytest.mark.parametrize("model", ["unknown", "big"])
def test_a_tighter_cut_stays_for_the_messages_that_follow(core: Core, model: str) -> None:
    """Also where the known context is larger than what the runner really takes."""
    conversation_id = core.start(model=model)
    turns(core, conversation_id, range(1, 9))
    failed = overflowed(core, core.send(conversation_id, text(9)))
    assert trimming_of(core, failed) is None
    again = core.regenerate(conversation_id, failed.reply_id, tighter_cut=True)
    assert cut_of(core, again) is not None
    core.answer(again, text(9), prompt_tokens=100)
    follow_up = core.send(conversation_id, text(10))
    assert cut_of(core, follow_up) == cut_of(core, again)


def test_doing_a_reply_again_without_a_tighter_cut_cuts_as_its_branch_does(core: Core) -> None:
    conversation_id = core.start(model="unknown")
    turns(core, conversation_id, range(1, 9))
    failed = overflowed(core, core.send(conversation_id, text(9)))
    core.regenerate(conversation_id, failed.reply_id, tighter_cut=True)
    assert trimming_of(core, core.regenerate(conversation_id, failed.reply_id)) is None


def test_a_first_message_cannot_be_cut_tighter(core: Core, store: InMemoryEventStore) -> None:
    sent = overflowed(core, core.send(core.start(), text(1)))
    refused(
        lambda: core.regenerate(sent.conversation_id, sent.reply_id, tighter_cut=True), PromptTooLong, store
    )


def test_old_prompts_stay_as_they_were_whatever_becomes_known_later(core: Core, models: Models) -> None:
    conversation_id = core.start()
    sent = turns(core, conversation_id, range(1, 10))
    before = [core.prompt_of(one.call_id) for one in sent]
    models.contexts.update(small=100, big=100)
    core.change(conversation_id, model=MODEL, system_prompt="Other.")
    assert [core.prompt_of(one.call_id) for one in sent] == before
