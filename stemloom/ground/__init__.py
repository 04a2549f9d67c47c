"""The ground that rooms stand on: nothing here knows music, rights or money."""
