"""The entries of the log: their kinds, their one byte form, and the statements that holders sign."""
