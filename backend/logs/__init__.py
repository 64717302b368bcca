"""What is written into the log, and how: one line an event, with what it belongs to, and never what people wrote.

Stands beside all other packages: any of them may say what it is at work on (`context`), and it knows none of them.
"""
