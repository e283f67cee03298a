"""The History tab made ready for its templates: what it shows, and the links that change it."""
