"""A storm: every part of the product is killed at random while many replies are being written.

`make chaos` runs it. May use what a browser could use, kill processes, and look into the database afterwards.
"""
