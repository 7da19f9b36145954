"""``python -m reidkit`` is the command line."""

from reidkit.cli import main

if __name__ == "__main__":
    main()
