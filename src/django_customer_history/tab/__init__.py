"""The History tab: the data that its templates show, and the links on it."""
