"""Decodes one recording and measures it: loudness, tempo, key, kind and fingerprint."""
