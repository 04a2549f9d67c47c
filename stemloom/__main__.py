"""`python -m stemloom` is `stemloom`."""

from .cli import run

run()
