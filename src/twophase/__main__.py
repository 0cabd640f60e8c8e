"""`python -m twophase`: the command line."""

import sys

from twophase.commands.main import main

if __name__ == "__main__":
    sys.exit(main())
