"""Turns text into a tree, with all mistakes at once, and a tree back into canonical text."""
