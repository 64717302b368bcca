"""The pure heart: what can be asked (commands), who decides (aggregates), what is remembered (events).

Imports nothing that does I/O, reads no clock and makes no ids.
"""
