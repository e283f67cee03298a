"""Watches: saved filters, and their delivery by e-mail or webhook with the owner's permissions."""
