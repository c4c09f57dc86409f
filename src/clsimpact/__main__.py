"""``python -m clsimpact`` is the command line."""

import sys

from clsimpact.cli import main

if __name__ == "__main__":
    sys.exit(main())
