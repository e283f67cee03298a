"""Who acts, from where and why; how that reaches threads, tasks and commands."""
