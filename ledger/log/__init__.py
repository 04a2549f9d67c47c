"""Writes the log durably: journals, their recovery after a crash, and the sequencing into signed tiles."""
