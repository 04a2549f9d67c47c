"""Mixes: voices, buses, effects and master in one compiled function for devices, `read` and `render`."""
