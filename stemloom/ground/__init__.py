"""Modules that several rooms need and none of them owns: shared words, mistyped words, worker processes."""
