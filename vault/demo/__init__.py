"""The demo vault: stems that this package synthesises itself, the same on every machine of one kind."""
