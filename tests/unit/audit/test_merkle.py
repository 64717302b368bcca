"""The Merkle tree against a plain reading of RFC 6962, known answers, and everything a forger could change."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.audit.merkle import (
    EMPTY_ROOT,
    Growing,
    ProofFailed,
    check_consistency,
    check_inclusion,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    parts,
    root,
)

# The inputs and roots that the Certificate Transparency projects test with.
KNOWN_INPUTS = [
    "",
    "00",
    "10",
    "2021",
    "3031",
    "40414243",
    "5051525354555657",
    "606162636465666768696a6b6c6d6e6f",
]
KNOWN_ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
MOST = 70
LEAVES = [leaf_hash(b"event %d" % number) for number in range(MOST)]
sizes = st.integers(1, MOST)


def mth(leaves: list[bytes]) -> bytes:
    """RFC 6962, 2.1, word for word."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return hashlib.sha256(b"\x01" + mth(leaves[:split]) + mth(leaves[split:])).digest()


def subtree(level: int, index: int) -> bytes:
    leaves = LEAVES[index << level : (index + 1) << level]
    assert len(leaves) == 1 << level, "only complete subtrees are asked for"
    return mth(leaves)


def path(index: int, leaves: list[bytes]) -> list[bytes]:
    """RFC 6962, 2.1.1."""
    if len(leaves) == 1:
        return []
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    if index < split:
        return [*path(index, leaves[:split]), mth(leaves[split:])]
    return [*path(index - split, leaves[split:]), mth(leaves[:split])]


def subproof(old: int, leaves: list[bytes], whole: bool) -> list[bytes]:
    """RFC 6962, 2.1.2."""
    if old == len(leaves):
        return [] if whole else [mth(leaves)]
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    if old <= split:
        return [*subproof(old, leaves[:split], whole), mth(leaves[split:])]
    return [*subproof(old - split, leaves[split:], False), mth(leaves[:split])]


def test_roots_are_those_that_others_get() -> None:
    growing = Growing()
    assert growing.root() == EMPTY_ROOT
    for text, known in zip(KNOWN_INPUTS, KNOWN_ROOTS, strict=True):
        growing.add(leaf_hash(bytes.fromhex(text)))
        assert growing.root().hex() == known


@given(sizes)
def test_a_root_is_that_of_the_leaves_however_it_is_come_by(size: int) -> None:
    growing = Growing()
    for leaf in LEAVES[:size]:
        growing.add(leaf)
    assert growing.root() == root(size, subtree) == mth(LEAVES[:size])


@given(sizes, sizes)
def test_a_tree_goes_on_from_its_right_edge_and_tells_each_completed_subtree_once(
    first: int, more: int
) -> None:
    told: dict[tuple[int, int], bytes] = {}

    def completed(level: int, index: int, found: bytes) -> None:
        assert (level, index) not in told
        told[level, index] = found

    edge = [subtree(level, index) for level, index in parts(first)]
    growing = Growing(first, edge, completed)
    for leaf in LEAVES[first:more]:
        growing.add(leaf)
    assert growing.root() == mth(LEAVES[: max(first, more)])
    for (level, index), found in told.items():
        assert level > 0
        assert found == subtree(level, index)


def test_a_right_edge_that_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="made of 2 subtrees, not 1"):
        Growing(3, [LEAVES[0]])


@given(sizes, st.data())
def test_inclusion_proofs_are_those_of_the_standard_and_hold(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    proof = inclusion_proof(index, size, subtree)
    assert proof == path(index, LEAVES[:size])
    check_inclusion(LEAVES[index], index, size, proof, mth(LEAVES[:size]))


@given(sizes, st.data())
def test_an_inclusion_proof_shows_nothing_else(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    proof, whole = inclusion_proof(index, size, subtree), mth(LEAVES[:size])
    forged = bytes(32)
    wrong: list[tuple[bytes, int, int, list[bytes], bytes]] = [
        (forged, index, size, proof, whole),
        (LEAVES[index], index, size, [*proof, forged], whole),
        (LEAVES[index], index, size, proof, forged),
        (LEAVES[index], size, size, proof, whole),
        (LEAVES[index], -1, size, proof, whole),
        *((LEAVES[index], other, size, proof, whole) for other in range(size) if other != index),
        *(
            (LEAVES[index], index, size, [*proof[:at], forged, *proof[at + 1 :]], whole)
            for at in range(len(proof))
        ),
        *((LEAVES[index], index, size, proof[:at], whole) for at in range(len(proof))),
    ]
    for each in wrong:
        with pytest.raises(ProofFailed):
            check_inclusion(*each)


@given(sizes, sizes)
def test_consistency_proofs_are_those_of_the_standard_and_hold(one: int, other: int) -> None:
    old, new = sorted((one, other))
    proof = consistency_proof(old, new, subtree)
    assert proof == subproof(old, LEAVES[:new], True)
    check_consistency(old, new, proof, mth(LEAVES[:old]), mth(LEAVES[:new]))


@given(sizes, sizes)
def test_a_consistency_proof_shows_nothing_else(one: int, other: int) -> None:
    old, new = sorted((one, other))
    proof = consistency_proof(old, new, subtree)
    old_root, new_root, forged = mth(LEAVES[:old]), mth(LEAVES[:new]), bytes(32)
    wrong: list[tuple[int, int, list[bytes], bytes, bytes]] = [
        (old, new, proof, forged, new_root),
        (old, new, proof, old_root, forged),
        (old, new, [*proof, forged], old_root, new_root),
        (0, new, proof, old_root, new_root),
        (new + 1, new, proof, old_root, new_root),
        *(
            (old, new, [*proof[:at], forged, *proof[at + 1 :]], old_root, new_root)
            for at in range(len(proof))
        ),
        *((old, new, proof[:at], old_root, new_root) for at in range(len(proof))),
    ]
    for each in wrong:
        with pytest.raises(ProofFailed):
            check_consistency(*each)


@pytest.mark.parametrize(("index", "size"), [(0, 0), (3, 3), (-1, 3)])
def test_there_is_no_proof_of_a_leaf_that_is_not_there(index: int, size: int) -> None:
    with pytest.raises(ValueError, match="has no leaf"):
        inclusion_proof(index, size, subtree)


@pytest.mark.parametrize(("old", "new"), [(0, 3), (4, 3), (-1, 3)])
def test_there_is_no_proof_from_a_tree_that_cannot_have_been(old: int, new: int) -> None:
    with pytest.raises(ValueError, match="no consistency proof"):
        consistency_proof(old, new, subtree)
