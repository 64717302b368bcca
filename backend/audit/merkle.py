"""The Merkle tree of RFC 6962: hashes, roots, and proofs that a leaf is in a tree or that one tree grew out of another.

Pure: hashes come from whoever keeps them. A tree of any size is made of complete subtrees; the one named (level, index)
covers the 2**level leaves from index * 2**level on, and never changes once the last of them is there.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence

EMPTY_ROOT = hashlib.sha256(b"").digest()

Subtree = Callable[[int, int], bytes]
"""The hash of the complete subtree (level, index). Level 0 is a leaf's hash."""

_sha256 = hashlib.sha256


class ProofFailed(Exception):
    """What a proof says does not follow from it."""


def leaf_hash(data: bytes) -> bytes:
    return _sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    return _sha256(b"\x01" + left + right).digest()


class Growing:
    """A tree that leaves are added to, in a memory of its depth.

    completed: called with (level, index, hash) of each subtree that a leaf completes, leaves themselves left out.
    """

    def __init__(
        self,
        size: int = 0,
        right_edge: Sequence[bytes] = (),
        completed: Callable[[int, int, bytes], None] | None = None,
    ) -> None:
        """Go on from a tree. right_edge: its complete subtrees, the largest first, as `parts` names them."""
        if len(right_edge) != size.bit_count():
            raise ValueError(
                f"A tree of {size} leaves is made of {size.bit_count()} subtrees, not {len(right_edge)}."
            )
        self.size = size
        self._edge = list(right_edge)
        self._completed = completed

    def add(self, leaf: bytes) -> None:
        """Add a leaf's hash."""
        index, edge = self.size, self._edge
        level, found = 0, leaf
        while index & 1:
            found = _sha256(b"\x01" + edge.pop() + found).digest()
            index >>= 1
            level += 1
            if self._completed is not None:
                self._completed(level, index, found)
        edge.append(found)
        self.size += 1

    def root(self) -> bytes:
        return _join(self._edge)


def parts(size: int) -> Iterator[tuple[int, int]]:
    """The complete subtrees (level, index) that a tree is made of, the largest first."""
    begin = 0
    for level in range(size.bit_length() - 1, -1, -1):
        if size >> level & 1:
            yield level, begin >> level
            begin += 1 << level


def root(size: int, subtree: Subtree) -> bytes:
    """The root of the tree of the first `size` leaves."""
    return _join([subtree(level, index) for level, index in parts(size)])


def inclusion_proof(index: int, size: int, subtree: Subtree) -> list[bytes]:
    """The hashes beside the way from a leaf up to the root of the tree of `size` leaves, the lowest first."""
    if not 0 <= index < size:
        raise ValueError(f"A tree of {size} leaves has no leaf {index}.")
    proof: list[bytes] = []
    begin, end = 0, size
    while end - begin > 1:
        middle = begin + _split(end - begin)
        if index < middle:
            proof.append(_range(middle, end, subtree))
            end = middle
        else:
            proof.append(_range(begin, middle, subtree))
            begin = middle
    return proof[::-1]


def consistency_proof(old: int, new: int, subtree: Subtree) -> list[bytes]:
    """What shows that the tree of `new` leaves begins with the tree of `old` ones. Empty where both are the same."""
    if not 0 < old <= new:
        raise ValueError(f"There is no consistency proof from {old} to {new} leaves.")
    if old == new:
        return []
    proof: list[bytes] = []
    begin, end, whole = 0, new, True
    while end != old:
        middle = begin + _split(end - begin)
        if old <= middle:
            proof.append(_range(middle, end, subtree))
            end = middle
        else:
            proof.append(_range(begin, middle, subtree))
            begin, whole = middle, False
    if not whole:
        proof.append(_range(begin, end, subtree))
    return proof[::-1]


def check_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], expected_root: bytes) -> None:
    """Raises ProofFailed unless this leaf's hash is at this place of the tree with this root (RFC 9162, 2.1.3.2)."""
    if not 0 <= index < size:
        raise ProofFailed(f"A tree of {size} leaves has no leaf {index}.")
    place, last, found = index, size - 1, leaf
    for each in proof:
        if last == 0:
            raise ProofFailed("The inclusion proof is too long.")
        if place & 1 or place == last:
            found = node_hash(each, found)
            while place and not place & 1:
                place >>= 1
                last >>= 1
        else:
            found = node_hash(found, each)
        place >>= 1
        last >>= 1
    if last != 0:
        raise ProofFailed("The inclusion proof is too short.")
    if found != expected_root:
        raise ProofFailed("The inclusion proof leads to another root.")


def check_consistency(old: int, new: int, proof: Sequence[bytes], old_root: bytes, new_root: bytes) -> None:
    """Raises ProofFailed unless the tree with the new root begins with the old one (RFC 9162, 2.1.4.2)."""
    if not 0 < old <= new:
        raise ProofFailed(f"There is no consistency proof from {old} to {new} leaves.")
    if old == new:
        if proof or old_root != new_root:
            raise ProofFailed("Two trees of the same size have different roots.")
        return
    path = list(proof)
    if old & (old - 1) == 0:
        path.insert(0, old_root)
    if not path:
        raise ProofFailed("The consistency proof is too short.")
    place, last = old - 1, new - 1
    while place & 1:
        place >>= 1
        last >>= 1
    found_old = found_new = path[0]
    for each in path[1:]:
        if last == 0:
            raise ProofFailed("The consistency proof is too long.")
        if place & 1 or place == last:
            found_old = node_hash(each, found_old)
            found_new = node_hash(each, found_new)
            while place and not place & 1:
                place >>= 1
                last >>= 1
        else:
            found_new = node_hash(found_new, each)
        place >>= 1
        last >>= 1
    if last != 0:
        raise ProofFailed("The consistency proof is too short.")
    if found_old != old_root:
        raise ProofFailed("The consistency proof leads to another old root.")
    if found_new != new_root:
        raise ProofFailed("The consistency proof leads to another new root.")


def _split(width: int) -> int:
    """The largest power of two below `width`."""
    return 1 << (width - 1).bit_length() - 1


def _range(begin: int, end: int, subtree: Subtree) -> bytes:
    """The root over leaves [begin, end), where begin is a multiple of the largest power of two that fits."""
    first = [(level, index + (begin >> level)) for level, index in parts(end - begin)]
    return _join([subtree(level, index) for level, index in first])


def _join(hashes: Sequence[bytes]) -> bytes:
    """One root of subtrees side by side, the largest first."""
    if not hashes:
        return EMPTY_ROOT
    found = hashes[-1]
    for left in reversed(hashes[:-1]):
        found = node_hash(left, found)
    return found
