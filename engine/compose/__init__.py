"""Decides who sounds when: from a piece, its dials and the cleared stems to the next bar."""
