"""A small CRM for alarm dealers, with the kinds of models that a real one has."""
