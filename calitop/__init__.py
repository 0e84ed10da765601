"""calitop: which rule, route or kernel check took the packet.

The engine: it runs headless, has no side effect at import, and never meets
the terminal libraries.
"""

__version__ = "0.1.0"
