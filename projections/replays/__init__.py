"""Replays: branches that are run again turn by turn, and how far each has come."""
