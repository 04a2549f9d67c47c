"""The effects of the language: each file has one, from its words and bounds to its sound."""
