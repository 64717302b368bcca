"""The messages of conversations as a tree: one row for each message."""
