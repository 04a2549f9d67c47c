"""The vault: recordings, their holders, and what each may be used for."""
