"""The models that every package of the comparison keeps the history of, in its own process."""
