"""The web console: a client of the operations, with a session instead of signatures."""
