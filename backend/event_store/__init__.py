"""Where events lie: PostgreSQL behind the library's recorder, and a twin in memory.

The only package that knows how events are stored; a faster store can take its place behind
backend.application.ports.EventStore.
"""
