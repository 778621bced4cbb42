"""The commands of ``python -m mlmd``, one module each with `register` and `run`."""
