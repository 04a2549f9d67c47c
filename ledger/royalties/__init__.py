"""Royalties: a period's income divided by the milliseconds in play that the ledger shows."""
