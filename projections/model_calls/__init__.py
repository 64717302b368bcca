"""Every call to a model, with its attempts, timings and outcome: one row each."""
