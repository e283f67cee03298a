"""Integrations with other packages, one module each; none is imported before it is needed."""
