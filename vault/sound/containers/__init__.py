"""What containers promise of the sound in them, and how those are mended that libsndfile misreads."""
