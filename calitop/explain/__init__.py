"""What chains, rules, marks and hashes say, in plain words for people."""
