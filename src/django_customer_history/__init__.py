"""The complete history of a customer record and of everything that belongs to it."""

__version__ = "0.1.0"
