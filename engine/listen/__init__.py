"""Listening to a mix: what its parts do to each other, measured in the render."""
