"""From the registry to triggers in the database, and from the context to the connection."""
