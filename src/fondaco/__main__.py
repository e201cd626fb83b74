"""``python -m fondaco`` is the command ``fondaco``."""

from fondaco.app.cli import main

if __name__ == "__main__":
    main()
