"""The ledger: an append-only, signed Merkle log of what was heard and what it earned."""
