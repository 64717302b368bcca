"""What the queries say of long stories is what the domain's own trees say, message by message."""

from __future__ import annotations

import random
from uuid import UUID

import pytest

from backend.domain.conversation import Conversation
from projections.transcript.projector import TranscriptProjector
from projections.transcript.queries import BranchSummary, get_branch_summary, get_transcript, get_tree
from tests.integration.projections.stories import Story, apply, in_memory

pytestmark = pytest.mark.usefixtures("fresh_database")


def siblings_in(conversation: Conversation, message_id: UUID) -> list[UUID]:
    nodes = conversation.nodes
    parent_id = nodes[message_id].parent_id
    return [node.message_id for node in nodes.values() if node.parent_id == parent_id]


def hidden_in(conversation: Conversation) -> set[UUID]:
    nodes = conversation.nodes
    return {message_id for message_id in nodes if not nodes.visible_leaves(message_id)}


def forks_of(story: Story) -> list[UUID]:
    return [known for known, _ in story.conversations if story.conversation(known).forked_from is not None]


@pytest.mark.parametrize("seed", [1, 2])
def test_every_branch_of_a_long_story_is_shown_as_the_conversation_has_it(seed: int) -> None:
    store, story = in_memory(seed)
    story.tell(1200)
    while len(forks_of(story)) < 4:  # a seed's luck must not decide how much is tested
        story.tell(100)
    apply(TranscriptProjector, store.read_after(0, store.end()))
    hidden_seen = 0

    for conversation_id, owner_id in story.conversations:
        conversation = story.conversation(conversation_id)
        nodes, hidden = conversation.nodes, hidden_in(conversation)
        origin = conversation.forked_from
        inherited = [n.message_id for n in nodes.path(origin.message_id if origin else None)]
        hidden_seen += len(hidden)

        for leaf_id in (None, *nodes.leaves()):
            page = get_transcript(
                conversation_id=conversation_id, owner_id=owner_id, leaf_id=leaf_id, limit=200
            )
            assert page is not None
            path = nodes.path(leaf_id or conversation.selected_leaf_id)
            assert [m.id for m in page.messages] == [node.message_id for node in path]
            assert page.selected_leaf_id == conversation.selected_leaf_id
            for message in page.messages:
                assert list(message.sibling_ids) == siblings_in(conversation, message.id)
                assert message.hidden == (message.id in hidden)
                assert message.inherited == (message.id in inherited)
                assert message.inherited == (message.conversation_id != conversation_id)

        tree = get_tree(conversation_id=conversation_id, owner_id=owner_id)
        assert tree is not None
        assert [(n.id, n.parent_id, n.role, n.outcome, n.continues) for n in tree.nodes] == [
            (n.message_id, n.parent_id, n.role, n.outcome, n.continues) for n in nodes.values()
        ]
        assert {n.id for n in tree.nodes if n.hidden} == hidden
        assert [n.id for n in tree.nodes if n.inherited] == inherited

        leaves, visible = nodes.leaves(), nodes.visible_leaves()
        assert get_branch_summary(conversation_id=conversation_id, owner_id=owner_id) == BranchSummary(
            len(visible), len(leaves) - len(visible), len(inherited) if origin else None
        )
        for message_id in random.Random(seed).sample(list(nodes), min(len(nodes), 8)):
            through = get_transcript(conversation_id=conversation_id, owner_id=owner_id, through=message_id)
            assert through is not None
            selected = [node.message_id for node in nodes.path(conversation.selected_leaf_id)]
            wanted = nodes.newest_leaf(message_id) if message_id not in selected else selected[-1]
            assert through.leaf_id == wanted

    assert hidden_seen > 3
