"""Reading of uploaded files in a child process with limits.

`child` is what runs there (no Django), `records` what it says, `process` starts it and listens.
"""
