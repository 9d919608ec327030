"""Write docs/reference: what the code itself knows of settings, commands, definitions, lenses, connectors, errors, API.

Run by `make schemas`; a test holds the files to the code (tests/docs).
"""

import argparse
from pathlib import Path

from tools.reference.pages import write_pages

ROOT = Path(__file__).parents[2]


def main() -> None:
    """Write the pages."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    for name, text in write_pages().items():
        path = ROOT / "docs/reference" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        print(f"wrote {path.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
