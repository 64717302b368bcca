"""The offline verifier against the product: two implementations of the same rules come to the same bytes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from backend.audit import merkle
from backend.domain.events import ModelCallRequested
from backend.domain.prompt_request import PromptRequest, Trimming
from backend.event_store.codec import revive, to_plain
from backend.event_store.mapper import encode_payload
from backend.prompting.build import CannotRebuildPrompt, StreamSlice, build_prompt
from backend.prompting.canonical import canonical_bytes
from tests.contract.golden import samples
from tests.integration.projections.stories import told_in_memory
from tests.support.bundles import KEY, Log, bundle_of, exported, recorded, tree_hash, verify
from tests.support.external_calls import external_call
from tests.support.facts import message_id
from tests.unit.prompting.test_prefixes import STEPS, Grown, Story
from tools import verbatim_verify as verifier

ROOT = Path(__file__).resolve().parents[3]
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner, max_size=4)
    ),
    max_leaves=10,
)


def chain_of(slices: list[tuple[list[tuple[str, int, dict[str, Any]]], int]]) -> verifier.Chain:
    """A fork chain, root first, as the verifier keeps it: the last conversation first."""
    chain: verifier.Chain = []
    for events, version in slices:
        conversation = verifier.Conversation()
        for name, at, payload in events:
            verifier.take_conversation_event(conversation, name, at, payload)
        chain.insert(0, (conversation, version))
    return chain


def events_of(part: StreamSlice) -> list[tuple[str, int, dict[str, Any]]]:
    return [
        (event.TOPIC.partition(".")[0], event.originator_version, json.loads(encode_payload(event)))
        for event in part.events
    ]


def chain_of_slices(slices: tuple[StreamSlice, ...], version: int) -> verifier.Chain:
    ends = [len(part.events) for part in slices[:-1]] + [version]
    return chain_of([(events_of(part), end) for part, end in zip(slices, ends, strict=True)])


def plain(request: PromptRequest) -> dict[str, Any]:
    found: dict[str, Any] = to_plain(request)
    return found


@pytest.mark.parametrize("name", sorted(path.stem for path in samples.PROMPTS.glob("*.json")))
def test_it_rebuilds_every_golden_prompt(name: str) -> None:
    content = json.loads((samples.PROMPTS / f"{name}.json").read_text(encoding="utf-8"))
    slices = [
        (
            [
                (each["topic"].partition(".")[0], each["version"], json.loads(each["stored"]))
                for each in part["events"]
            ],
            max(each["version"] for each in part["events"]),
        )
        for part in content["history"]
    ]
    slices[-1] = (slices[-1][0], content["request"]["version"])
    assert verifier.prompt_bytes(content["request"], chain_of(slices)).decode() == content["body"]


def refused_or_built(conversation: Grown, request: PromptRequest) -> None:
    """Both rebuild the same bytes, or both refuse."""
    slices = conversation.slices()
    chain = chain_of_slices(slices, request.version)
    try:
        expected = build_prompt(slices, request).body
    except CannotRebuildPrompt:
        with pytest.raises(verifier.Wrong):
            verifier.prompt_bytes(plain(request), chain)
        return
    assert verifier.prompt_bytes(plain(request), chain) == expected


@settings(max_examples=150, deadline=None)
@given(STEPS, st.data())
def test_it_rebuilds_what_the_product_builds_of_any_history(
    steps: list[tuple[str, int, int, str]], data: st.DataObject
) -> None:
    story = Story()
    for step in steps:
        story.take(*step)
    conversation = data.draw(st.sampled_from(story.conversations))
    nodes = [UUID(int=0)]
    nodes += [message_id(number) for number in conversation.nodes]
    first_kept = data.draw(st.none() | st.sampled_from(nodes))
    request = PromptRequest(
        leaf_id=data.draw(st.none() | st.sampled_from(nodes)),
        version=data.draw(st.integers(1, len(conversation.events))),
        model=data.draw(st.sampled_from(["a-model", "naïve \U0001f642"])),
        params=data.draw(
            st.dictionaries(
                st.sampled_from(["temperature", "top_p"]), st.sampled_from(["0.7", "1", "1e-7", "-0"])
            )
        ),
        builder=data.draw(st.sampled_from(["chat/1", "chat/1", "title/1"])),
        system_prompt=data.draw(st.none() | st.text(max_size=3)),
        trimming=None if first_kept is None else Trimming("keep-latest", 1, first_kept, 0, 0, 0),
        progress=data.draw(st.booleans()),
    )
    refused_or_built(conversation, request)


@given(JSON)
@example(
    {"\ue000": 1, "\U0001f642": 2, "": 1e21, "a": -0.0, "b": [1e-7, 1.5e300, 5e-324, 123456789012345680000.0]}
)
def test_its_canonical_json_is_the_products(value: Any) -> None:
    assert verifier.canonical(value).encode() == canonical_bytes(value)


@given(st.integers(1, 70), st.data())
def test_its_merkle_proofs_are_the_products(size: int, data: st.DataObject) -> None:
    leaves = [verifier.sha256(bytes([number])) for number in range(size)]
    subtrees: dict[tuple[int, int], bytes] = {(0, place): leaf for place, leaf in enumerate(leaves)}
    growing = merkle.Growing(completed=lambda level, index, found: subtrees.update({(level, index): found}))
    for leaf in leaves:
        growing.add(leaf)
    root = growing.root()
    assert root == tree_hash(leaves)
    index, old = data.draw(st.integers(0, size - 1)), data.draw(st.integers(1, size))
    proof = merkle.inclusion_proof(index, size, lambda level, place: subtrees[level, place])
    assert verifier.root_of_inclusion(leaves[index], index, size, proof) == root
    was = verifier.Checkpoint("a", old, tree_hash(leaves[:old]))
    now = verifier.Checkpoint("a", size, root)
    grown = merkle.consistency_proof(old, size, lambda level, place: subtrees[level, place])
    verifier.check_consistency(was, now, grown)
    for wrong in ([*grown, root], grown[:-1], [root, *grown[1:]]):
        if wrong != grown:
            with pytest.raises(verifier.Wrong):
                verifier.check_consistency(was, now, wrong)
    with pytest.raises(verifier.Wrong):
        verifier.check_consistency(verifier.Checkpoint("a", old, b"x" * 32), now, grown)


def running_calls(seed: int, steps: int) -> tuple[Log, int]:
    """The log of a story, and how many calls it asked for."""
    events = recorded(told_in_memory(seed, steps))
    asked = {event.stream for event in events if event.topic.startswith("ModelCallRequested")}
    ended = {
        event.stream
        for event in events
        if event.topic.partition(".")[0] in verifier.ENDS and json.loads(event.payload)["final"]
    }
    return Log(events, running=frozenset(asked - ended), earlier_sizes=[1, 2, len(events) // 2]), len(asked)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_long_honest_histories_hold(seed: int, tmp_path: Path) -> None:
    log, calls = running_calls(seed, 250)
    verified = verify(bundle_of(log), tmp_path)
    assert (verified.status, verified.problems) == (0, [])
    assert calls > 20
    assert f"prompts identical: {calls}" in verified.lines
    assert "earlier checkpoints hold: 3" in verified.lines
    assert verified.lines[-2:] == [
        "The bundle holds the whole log: nothing was left out.",
        "Everything holds.",
    ]


def test_a_part_of_the_log_holds_by_itself(tmp_path: Path) -> None:
    log, _ = running_calls(4, 150)
    first = log.all_events[0].stream
    own = {
        event.stream
        for event in log.all_events
        if event.stream == first
        or (f'"conversation_id":"{first}"' in event.payload.decode() and event.topic.startswith("ModelCall"))
    }
    log.picked = [event.index for event in log.all_events if event.stream in own]
    verified = verify(bundle_of(log), tmp_path)
    assert (verified.status, verified.problems) == (0, [])
    assert 0 < len(log.picked) < log.size
    assert "The bundle holds a part of the log. It says nothing about the rest." in verified.lines


def test_calls_of_programs_are_checked_by_their_own_bytes(tmp_path: Path) -> None:
    said = external_call('{"model": "a-model", "messages": []}')
    lost = external_call("{}", keep_body=False)
    log = Log(exported([said, lost]), running=frozenset({str(said.originator_id), str(lost.originator_id)}))
    verified = verify(bundle_of(log), tmp_path)
    assert verified.status == 0
    assert "prompts identical: 1" in verified.lines
    assert "prompts opaque (the record does not hold what was sent): 1" in verified.lines
    assert "calls still running at the export: 2" in verified.lines


@pytest.mark.parametrize(
    ("raw", "sent"),
    [
        ('{"model":"x"}', '{"model":"y"}'),
        (' {"a" : {"model":"x"} ,"model"\t:"x", "messages":[{"model":"x"}]}\n',
         ' {"a" : {"model":"x"} ,"model"\t:"y", "messages":[{"model":"x"}]}\n'),
        ('{"n":["model",{"model":1}],"s":"a\\"model\\":","mod\\u0065l":"x","model":"x"}',
         '{"n":["model",{"model":1}],"s":"a\\"model\\":","mod\\u0065l":"y","model":"x"}'),
        ('{"model":"\\u0079"}', '{"model":"\\u0079"}'),
    ],
)  # fmt: skip
def test_only_the_outermost_model_of_a_programs_call_is_replaced(raw: str, sent: str) -> None:
    request = {"raw_body": raw, "model": "y", "builder": "client/1", "serializer": "as-received/1"}
    assert verifier.prompt_bytes(request, []).decode() == sent


def test_an_unknown_builder_is_named() -> None:
    request = {"raw_body": None, "builder": "chat/9", "serializer": "jcs-rfc8785/1"}
    with pytest.raises(verifier.Wrong, match="chat/9 with jcs-rfc8785/1"):
        verifier.prompt_bytes(request, [])


def test_it_is_one_file_that_imports_nothing_of_ours() -> None:
    text = (ROOT / "tools" / "verbatim_verify.py").read_text(encoding="utf-8")
    compile(text, "verbatim_verify.py", "exec", flags=0)
    imported = {
        line.split()[1].partition(".")[0]
        for line in text.splitlines()
        if line.startswith(("import ", "from "))
    }
    assert imported - set(sys.stdlib_module_names) == {"cryptography"}


def test_it_runs_by_itself(tmp_path: Path) -> None:
    log, _ = running_calls(5, 40)
    (tmp_path / "a.zip").write_bytes(bundle_of(log))
    program = tmp_path / "verbatim_verify.py"
    program.write_bytes((ROOT / "tools" / "verbatim_verify.py").read_bytes())
    done = subprocess.run(
        [sys.executable, "-I", str(program), "a.zip", "--key", KEY],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith("Everything holds.\n")


def test_a_recorded_request_is_read_as_the_product_reads_it() -> None:
    """Old shapes lack fields that the verifier must do without."""
    content = json.loads((samples.EVENTS / "ModelCallRequested.v1.json").read_text(encoding="utf-8"))
    stored = json.loads(content["stored"])["prompt_request"]
    assert "progress" not in stored
    assert revive(ModelCallRequested, "prompt_request", {**stored, "progress": False}).progress is False
    chain = chain_of([([], 99)])
    body = json.loads(verifier.prompt_bytes({**stored, "leaf_id": None, "trimming": None}, chain))
    assert "return_progress" not in body
