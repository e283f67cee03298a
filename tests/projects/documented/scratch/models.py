"""The module for models that a block of the documentation defines."""
