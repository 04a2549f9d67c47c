"""Turns a tree into a checked piece, or says everything that is wrong or doubtful in it."""
