"""`/metrics`: what an installation does, in numbers, for Prometheus. docs/metrics.md says what each of them is.

`requests` is counted in each web process; `installation` is asked of the database when somebody looks, so that it is right
whichever process answers. No label names a person, a conversation or a call.
"""
