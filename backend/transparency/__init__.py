"""The transparency log: every event's digest in one growing Merkle tree, whose signed roots others can keep.

keeper.py runs in the projection worker and calls the rest: sequencer.py gives each event its place, signing.py signs
the root, outlets.py hands it to others. log.py answers questions. Nothing here reads what an event says.
"""
