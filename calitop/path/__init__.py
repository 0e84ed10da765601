"""A packet's way through one node: packet, matches, routing, reverse-path filter."""
