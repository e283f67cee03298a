"""The models whose history each package of the comparison keeps, in a process of its own."""
