"""What has changed lately, for browsers that are listening: one row for each event, kept for a day."""
