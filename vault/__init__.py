"""The vault: recordings, their holders, and their consents."""
