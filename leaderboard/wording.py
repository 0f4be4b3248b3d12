"""Every sentence of the pages, in English and Korean: words/en.yaml and words/ko.yaml hold the same keys.

A `Text` is a string, the English one, that carries its Korean twin; in a page both are written, each in an
element with its language, and the style shows one of them. What an entrant wrote is a plain string.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import msgspec
import yaml
from markupsafe import Markup, escape

__all__ = [
    "LANGUAGES",
    "Text",
    "as_text",
    "both",
    "date",
    "in_svg",
    "korean",
    "label",
    "moment",
    "say",
    "templates",
    "tip",
    "twin",
    "vocabulary",
    "worded",
]

LANGUAGES = ("en", "ko")
FOLDER = Path(__file__).parent / "words"
DATE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)")


class Text(str):
    """English text with its Korean twin."""

    __slots__ = ("_html", "ko")
    _html: str
    ko: str

    def __new__(cls, en: str, ko: str) -> Text:
        """Join the two."""
        text = super().__new__(cls, en)
        text.ko, text._html = ko, ""
        return text

    def __reduce__(self) -> tuple[type[Text], tuple[str, str]]:
        return (Text, (self.en, self.ko))

    @property
    def en(self) -> str:
        """The English text alone."""
        return str.__str__(self)

    def __html__(self) -> str:
        if not self._html:
            english, korean = (str(escape(text)) for text in (self.en, self.ko))
            both = f'<span lang="en">{english}</span><span lang="ko">{korean}</span>'
            self._html = english if english == korean else both
        return self._html


def as_text(content: object, of_text: Callable[[Text], object] = str.__str__) -> str:
    """Return JSON in one line, a `Text` as `of_text` says; NaN and infinities become null.

    Raises:
        UnicodeEncodeError: for half a character, which no cleaned text has.
    """
    return msgspec.json.encode(content, enc_hook=of_text).decode()


def korean(text: object) -> str:
    """Return the Korean of a text, or the text itself where it has none."""
    return text.ko if isinstance(text, Text) else str(text)


def twin(en: str, ko: str) -> str:
    """Return a challenge's own text with its Korean twin, if it has one."""
    return Text(en, ko) if ko and ko != en else en


def worded(content: Mapping[str, object], key: str, default: object = "") -> object:
    """Return a text of a scorer's panel with its Korean twin, "<key>_ko", if it has one."""
    english, korean_text = content.get(key) or default, content.get(f"{key}_ko")
    return twin(str(english), korean_text) if isinstance(korean_text, str) else english


def both(parts: Iterable[object], between: str = " ") -> str:
    """Join texts in both languages; empty ones are left out."""
    kept = [part for part in parts if str(part)]
    english = between.join(str(part) for part in kept)
    return twin(english, between.join(korean(part) for part in kept))


@cache
def vocabulary(language: str) -> dict[str, str]:
    """Return a language's sentences by key, such as "board.ranking"."""
    content = yaml.safe_load((FOLDER / f"{language}.yaml").read_text(encoding="utf-8"))
    return {
        f"{group}.{key}": " ".join(str(text).split())
        for group, texts in content.items()
        for key, text in texts.items()
    }


def say(key: str, /, **values: object) -> Text:
    """Return a sentence with its values; "<key>_one" is taken for n = 1 where there is one.

    Raises:
        KeyError: for a key that the languages do not have, or a value that a sentence needs.
    """
    if not values:
        return _plain(key)
    if str(values.get("n")) == "1" and f"{key}_one" in vocabulary("en"):
        key = f"{key}_one"
    english = vocabulary("en")[key].format(**values)
    return Text(english, vocabulary("ko")[key].format(**{name: korean(v) for name, v in values.items()}))


def templates(group: str, *keys: str) -> dict[str, list[str]]:
    """Return sentences for a script, by key: [English, Korean], with the names of values in braces."""
    return {key: [vocabulary(language)[f"{group}.{key}"] for language in LANGUAGES] for key in keys}


@cache
def _plain(key: str) -> Text:
    return Text(vocabulary("en")[key].format(), vocabulary("ko")[key].format())


def date(text: str) -> str:
    """Return a record's time as each language writes it, in UTC; what is no such time stays as it is.

    >>> date("2026-11-20T08:00:00Z").ko
    '2026년 11월 20일 08:00 UTC'
    """
    if not DATE.fullmatch(text):
        return text
    try:
        when = datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        return text
    return moment(when)


def moment(when: datetime) -> Text:
    """Return a moment in its own zone, which is always named.

    >>> moment(datetime.fromisoformat("2026-12-31T23:59+09:00"))
    '31 Dec 2026, 23:59 UTC+09:00'
    """
    clock = f"{when:%H:%M} {when.tzname() or ''}".strip()
    return Text(
        f"{when.day} {when:%b} {when.year}, {clock}", f"{when.year}년 {when.month}월 {when.day}일 {clock}"
    )


def in_svg(text: str) -> Markup:
    """Return a text for an SVG text, which a span would end: each language in a tspan."""
    return Markup(str(escape(text)).replace("<span ", "<tspan ").replace("</span>", "</tspan>"))  # noqa: S704  escaped


def tip(text: str) -> Markup:
    """Return a title attribute in both languages; the script of the page exchanges them."""
    return _attributes("title", text)


def label(text: str) -> Markup:
    """Return an aria-label attribute in both languages."""
    return _attributes("aria-label", text)


def _attributes(name: str, text: str) -> Markup:
    if not text:
        return Markup("")
    english = str.__str__(text)
    twin = f' data-ko-{name}="{escape(korean(text))}"' if korean(text) != english else ""
    return Markup(f' {name}="{escape(english)}"{twin}')  # noqa: S704  both are escaped
