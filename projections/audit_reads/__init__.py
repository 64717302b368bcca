"""Who has read whose content through the audit: one row for each reading."""
