"""Single figures changed without a word, and which rule notices (`make corruption`)."""
