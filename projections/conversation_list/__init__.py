"""What the list of conversations shows: one row each."""
