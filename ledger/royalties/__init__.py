"""Settles periods, states what each holder earned, and reports on it."""
