"""The log as one reader may see it: query, filter, page, label and present."""
