"""Keeps what the vault holds, as a projection of the ledger, and gives composers a snapshot of it."""
