"""Keeps who may do what with a stem: signed statements, shares, and the receipts of withdrawals."""
