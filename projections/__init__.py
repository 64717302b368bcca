"""Read models: tables that screens are served from, filled from events, deleted and rebuilt at will.

Projections know events. They know no commands, no aggregates and no model runner, and no read model
reads another's tables.
"""
