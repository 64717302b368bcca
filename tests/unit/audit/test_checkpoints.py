"""Checkpoints and proofs as texts: read back as written, small enough, and nothing altered passes."""

from __future__ import annotations

import pytest

from backend.audit.checkpoints import (
    LONGEST_ORIGIN,
    Checkpoint,
    LogProof,
    check_proof,
    open_checkpoint,
    parse_checkpoint,
    parse_proof,
)
from backend.audit.merkle import Growing, ProofFailed, inclusion_proof, leaf_hash
from backend.audit.notes import NoteError, Signer

ORIGIN = "example.com/log"
SIGNER = Signer(ORIGIN, bytes(range(32)))
LEAVES = [b"event %d" % number for number in range(11)]


def subtree(level: int, index: int) -> bytes:
    growing = Growing()
    for leaf in LEAVES[index << level : (index + 1) << level]:
        growing.add(leaf_hash(leaf))
    return growing.root()


@pytest.fixture
def checkpoint() -> Checkpoint:
    growing = Growing()
    for leaf in LEAVES:
        growing.add(leaf_hash(leaf))
    return Checkpoint(ORIGIN, growing.size, growing.root())


@pytest.fixture
def proof(checkpoint: Checkpoint) -> str:
    return LogProof(5, inclusion_proof(5, 11, subtree), checkpoint.signed(SIGNER)).text()


def test_a_checkpoint_is_read_as_it_was_signed(checkpoint: Checkpoint) -> None:
    note = checkpoint.signed(SIGNER)
    assert note.split("\n")[:2] == [ORIGIN, "11"]
    assert open_checkpoint(note, [SIGNER.verifier]) == checkpoint


def test_only_its_own_log_may_sign_a_checkpoint(checkpoint: Checkpoint) -> None:
    stranger = Signer("example.com/other", bytes(32))
    with pytest.raises(NoteError, match=r"signed by example\.com/other"):
        open_checkpoint(checkpoint.signed(stranger), [SIGNER.verifier, stranger.verifier])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "o\n1\n",
        "o\n01\n" + 43 * "A" + "=\n",
        "o\n-1\n" + 43 * "A" + "=\n",
        "o\n1\nAAAA\n",
        "o\n1\n" + 43 * "A" + "=",
        "o\n\n" + 43 * "A" + "=\n",
        "o\n\N{SUPERSCRIPT TWO}\n" + 43 * "A" + "=\n",
        "o\n1\n" + 43 * "\N{LATIN SMALL LETTER E WITH ACUTE}" + "=\n",
    ],
)
def test_what_is_no_checkpoint_is_refused(text: str) -> None:
    with pytest.raises(NoteError):
        parse_checkpoint(text)


def test_a_proof_shows_its_event_and_no_other(proof: str, checkpoint: Checkpoint) -> None:
    assert check_proof(proof, LEAVES[5], [SIGNER.verifier]) == checkpoint
    for other in (*LEAVES[:5], *LEAVES[6:], b"", b"event 5 "):
        with pytest.raises(ProofFailed):
            check_proof(proof, other, [SIGNER.verifier])


def test_extra_data_of_a_proof_is_passed_over(proof: str) -> None:
    with_extra = proof.replace("\nindex", "\nextra QUJD\nindex")
    assert parse_proof(with_extra) == parse_proof(proof)


def test_a_proof_with_any_character_changed_is_refused(proof: str) -> None:
    for place in range(len(proof)):
        changed = proof[:place] + ("A" if proof[place] != "A" else "B") + proof[place + 1 :]
        with pytest.raises((NoteError, ProofFailed)):
            check_proof(changed, LEAVES[5], [SIGNER.verifier])


@pytest.mark.parametrize(
    "text", ["", "c2sp.org/tlog-proof@v1\n", "c2sp.org/tlog-proof@v1\n\nnote", "x\nindex 1\n\nnote"]
)
def test_what_is_no_proof_is_refused(text: str) -> None:
    with pytest.raises(NoteError):
        parse_proof(text)


def test_a_proof_at_a_hundred_thousand_events_takes_at_most_a_kilobyte() -> None:
    signer = Signer(LONGEST_ORIGIN * "o", bytes(32))
    note = Checkpoint(signer.name, 100_000, bytes(32)).signed(signer)
    longest = max(
        len(
            LogProof(index, inclusion_proof(index, 100_000, lambda level, index: bytes(32)), note)
            .text()
            .encode()
        )
        for index in (0, 1, 50_000, 65_535, 99_999)
    )
    assert longest <= 1024
