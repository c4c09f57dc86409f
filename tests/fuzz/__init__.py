"""Files that are broken on purpose, and what the loaders make of them (`make fuzz`)."""
