"""The engine: composes a piece bar by bar and mixes it, live and offline with the same code."""
