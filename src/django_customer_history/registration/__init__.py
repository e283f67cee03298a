"""Which models are tracked, how, and the paths to their subjects."""
