"""Proofs about what is recorded. Pure: events in, findings out; reading them is the event store's business."""
