"""Doors to other packages, one module for each; none is imported before it is needed."""
