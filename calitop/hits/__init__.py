"""What moved between two moments of a node, in the order in which a packet meets it."""
