"""The demo: users, and a story of their work, done with requests to a running server."""
