"""Known faults, looked for in what was read of one or more nodes; nothing is ever changed."""
