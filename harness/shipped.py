"""Write shipped.txt: the digests by which the entries that ship with the project are known and trusted.

python -m harness.shipped
"""

from __future__ import annotations

from harness.catalog import PACKAGE_ROOT, open_submission

__all__ = ["write_shipped"]


def write_shipped() -> None:
    """List every submission beside the package with its digest."""
    cards = sorted((PACKAGE_ROOT / "submissions").glob("*/submission.yaml"))
    lines = [f"{open_submission(str(card.parent)).digest} {card.parent.name}\n" for card in cards]
    (PACKAGE_ROOT / "harness" / "shipped.txt").write_text("".join(lines), encoding="utf-8")


if __name__ == "__main__":
    write_shipped()
