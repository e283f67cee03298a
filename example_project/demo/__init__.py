"""The demo: users, and a story that is told through requests to a running server."""
