"""Titles and messages to be found by their words."""
