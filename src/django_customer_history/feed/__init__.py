"""The log in its settled order: following it, and the position of a follower."""
