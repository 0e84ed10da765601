"""`python -m calitop` is the command `calitop`."""

from __future__ import annotations

import sys

from calitop.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
