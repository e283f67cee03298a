"""Database servers for the tests that the machine does not have.

`python -m tests.servers start` starts those of Debian's newer suites, and
`python -m tests.servers start galera` starts a cluster of three nodes.
"""
