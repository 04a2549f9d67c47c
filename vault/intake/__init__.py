"""Takes recordings in: prepared in worker processes, compared with those here, added whole or not."""
