"""Verifies a log: every byte, every signature, and every rule that its entries keep between them."""
