"""What a file says of itself: in its tags, in the chunks of samplers, and in its name."""
