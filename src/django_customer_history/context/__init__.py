"""The context: who acts, from where and why, and how it reaches threads, tasks and commands."""
