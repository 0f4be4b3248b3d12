"""Words and numbers as a reader sees them; whatever an entrant wrote is text and stays where it is put."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterable

from leaderboard.wording import Text, say

__all__ = [
    "MINUS",
    "clean",
    "clean_block",
    "count",
    "decimals_for",
    "duration",
    "memory",
    "number",
    "signed",
    "span",
    "spread_text",
]

LONGEST = 2000
SHOWN_COMBINING = 3
MINUS = "\N{MINUS SIGN}"
REPLACED = "\N{REPLACEMENT CHARACTER}"
BLANK_LETTERS = {"\u115f", "\u1160", "\u2800", "\u3164", "\uffa0"}
BLANK_MARKS = {
    chr(c) for c in (0x34F, *range(0x180B, 0x1810), *range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0))
}


def clean(text: object, longest: int = LONGEST) -> str:
    """Return an entrant's text on one line, without what could disturb the page around it.

    Control characters (terminal escapes too) and lone surrogates become U+FFFD; characters without a
    width (Unicode's Cf: joiners, directional overrides, tags) and combining marks beyond three on one
    character go; white space and blank letters collapse to one space. A text without a visible
    character becomes "(unnamed)".

    >>> clean("a" + chr(9) + chr(10) + " b"), clean(chr(0x200B)), clean("a" + chr(0x200B) + "b")
    ('a b', '(unnamed)', 'ab')
    """
    if isinstance(text, Text):
        return Text(clean(text.en, longest), clean(text.ko, longest))
    line = str(text)[: 4 * longest]
    if line.isascii() and line.isprintable():  # nothing hidden, nothing to replace
        return _shown(line, longest)
    kept: list[str] = []
    marks = 0
    for char in filter(_has_width, line):
        marks = marks + 1 if unicodedata.combining(char) else 0
        if marks <= SHOWN_COMBINING:
            kept.append(_safe(char))
    return _shown("".join(kept), longest)


def _shown(text: str, longest: int) -> str:
    line = " ".join(text.split())
    if not any(unicodedata.category(char)[0] in "LNPS" for char in line):
        return "(unnamed)"
    return line if len(line) <= longest else line[: longest - 1] + "…"


def clean_block(text: str, longest: int = 20_000) -> str:
    """Return text of several lines, cleaned as `clean` does but with its lines and indents."""
    shown = text if len(text) <= longest else text[:longest] + "\n…"
    return "\n".join("".join(map(_safe, filter(_has_width, line))) for line in shown.splitlines())


def _has_width(char: str) -> bool:
    """Say whether a reader can see that the character is there; two names may not differ in others."""
    return unicodedata.category(char) != "Cf" and char not in BLANK_MARKS


def _safe(char: str) -> str:
    if char.isspace() or char in BLANK_LETTERS:
        return " "
    return REPLACED if unicodedata.category(char) in ("Cc", "Cs") else char


def number(value: float | None, decimals: int) -> str:
    """Return a fixed-point number with a real minus sign; "–" for a value that is not there."""
    if value is None or not math.isfinite(value):
        return "–"
    text = f"{value:.{decimals}f}"
    if text[0] != "-":
        return text
    return text[1:] if float(text) == 0 else MINUS + text[1:]


def signed(value: float, decimals: int) -> str:
    """Return a number with its sign, also where it is positive; zero has none.

    >>> signed(0.0121, 3), signed(0.0001, 3)
    ('+0.012', '0.000')
    """
    text = number(value, decimals)
    return f"+{text}" if value > 0 and float(text) else text


def count(value: int) -> str:
    """Return a whole number in groups of three, as in 4,010,269."""
    return f"{value:,}"


def span(low: float | None, high: float | None, decimals: int) -> str:
    """Return "0.61–0.83"; with "to" where a sign would blur the dash; "" without both ends."""
    if low is None or high is None or not (math.isfinite(low) and math.isfinite(high)):
        return ""
    between = " to " if low < 0 else "–"
    return f"{number(low, decimals)}{between}{number(high, decimals)}"


def spread_text(mean: float | None, sd: float | None, decimals: int) -> str:
    """Return "0.61 ± 0.04", or the mean alone where one value has no spread."""
    if mean is None:
        return "–"
    return number(mean, decimals) + (f" ± {number(sd, decimals)}" if sd is not None else "")


def decimals_for(half_widths: Iterable[float], n: int, most: int) -> int:
    """Return how many decimals the cases support: the last one is about a tenth of the uncertainty.

    The uncertainty is the median half width of the 95 % intervals; without any, that of a share of n
    cases in the worst case, 0.98 / sqrt(n).

    >>> decimals_for([], 50, 4), decimals_for([0.012], 50, 4), decimals_for([0.012], 50, 1)
    (2, 3, 1)
    """
    known = sorted(width for width in half_widths if math.isfinite(width) and width > 0)
    width = known[len(known) // 2] if known else 0.98 / math.sqrt(max(n, 1))
    return max(0, min(most, round(1 - math.log10(width))))


def duration(seconds: float) -> str:
    """Return "42 s", "54 min" or "3.1 h".

    >>> duration(3245), duration(7200)
    ('54 min', '2.0 h')
    """
    if seconds < 99.5:
        return say("time.seconds", n=f"{seconds:.0f}")
    if seconds < 5970:
        return say("time.minutes", n=f"{seconds / 60:.0f}")
    return say("time.hours", n=f"{seconds / 3600:.1f}")


def memory(size: int) -> str:
    """Return "912 MB" or "3.4 GB", in powers of 1024.

    >>> memory(912 << 20), memory(3 << 30)
    ('912 MB', '3.0 GB')
    """
    return f"{size / 2**20:.0f} MB" if size < 1000 << 20 else f"{size / 2**30:.1f} GB"
