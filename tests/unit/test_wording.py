"""The sentences of the pages: two languages, the same keys, and no other sentence in a template or script."""

from __future__ import annotations

import copy
import json
import pickle
import re
from pathlib import Path
from string import Formatter

import pytest
from markupsafe import escape

from harness import catalog
from harness.cards import ChallengeCard
from leaderboard.card import card_of
from leaderboard.table import embedded
from leaderboard.text import clean, duration
from leaderboard.wording import Text, both, date, in_svg, korean, label, say, tip, twin, vocabulary

ROOT = Path(__file__).resolve().parents[2] / "leaderboard"
ENGLISH, KOREAN = vocabulary("en"), vocabulary("ko")


def names_in(text: str) -> set[str]:
    """Return the names of the values that a sentence takes."""
    return {name for _, name, _, _ in Formatter().parse(text) if name}


def test_both_languages_have_the_same_keys_and_take_the_same_values() -> None:
    """A sentence of one language is there in the other, and no value is lost in translation."""
    assert set(ENGLISH) == set(KOREAN)
    differing = {key for key in ENGLISH if names_in(ENGLISH[key]) != names_in(KOREAN[key])}
    assert differing == set()


def test_every_korean_sentence_is_korean() -> None:
    """Hangul in each, but for names, units and patterns that are the same everywhere."""
    same = {key for key in KOREAN if not re.search("[가-힣]", KOREAN[key])}
    assert all(
        KOREAN[key] == ENGLISH[key] or len(re.sub(r"\{\w+\}|\W", "", KOREAN[key])) <= 14 for key in same
    )


def test_no_sentence_stands_in_a_template_or_a_script() -> None:
    """Between the tags, and in attributes that are read, there is no word but names of files and commands."""
    for path in sorted((ROOT / "templates").glob("*.html")):
        source = re.sub(r"\{#.*?#\}|\{%.*?%\}|\{\{.*?\}\}", " ", path.read_text(encoding="utf-8"), flags=re.S)
        read = re.findall(r'(?:aria-label|title|placeholder|alt)="([^"]*)"', source)
        words = set(re.findall(r"[A-Za-z]{2,}", " ".join([*read, *re.findall(r">([^<]*)<", source)])))
        assert words <= {"English", "pvalues", "csv", "standings", "json", "harness", "run", "challenge"}, (
            path
        )
    for path in sorted((ROOT / "static").glob("*.js")):
        code = re.sub(r"//[^\n]*|/\*.*?\*/", "", path.read_text(encoding="utf-8"), flags=re.S)
        told = [text for text in re.findall(r'textContent = "([^"]*)"|append\("([^"]*)"', code) if any(text)]
        assert told == [], path


@pytest.mark.parametrize(
    "path", sorted((ROOT / "templates").glob("*.html")) + sorted(ROOT.glob("*.py")), ids=lambda p: p.name
)
def test_every_sentence_that_is_asked_for_exists(path: Path) -> None:
    """A misspelt key is found here and not by a reader."""
    source = path.read_text(encoding="utf-8")
    asked = set(re.findall(r'\b(?:t|say)\(\s*"([a-z_]+\.[a-z_]*[a-z])"', source))
    assert asked <= set(ENGLISH)


def test_every_sentence_is_asked_for_somewhere() -> None:
    """No sentence is left that no page shows."""
    files = [*ROOT.glob("*.py"), *(ROOT / "templates").glob("*.html")]
    source = "\n".join(path.read_text(encoding="utf-8") for path in files)
    prefixes = set(re.findall(r'"([a-z_]+\.[a-z_]*)" ~|f"([a-z_]+\.[a-z_]*)\{', source))
    begun = tuple({prefix for pair in prefixes for prefix in pair if prefix})
    grouped = set(re.findall(r'templates\(\s*"([a-z_]+)"', source))
    unused = {
        key
        for key in ENGLISH
        if f'"{key}"' not in source
        and f'"{key.removesuffix("_one")}"' not in source
        and not key.startswith(begun)
        and key.partition(".")[0] not in grouped
    }
    assert unused == set()


def test_a_text_is_its_english_and_carries_its_korean() -> None:
    """It prints, compares and exports as English, and survives copies."""
    text = say("board.entries", n=2)
    assert (text, text.ko) == ("2 entries", "제출작 2개")
    assert say("board.entries", n=1) == "1 entry"
    assert f"{text}." == "2 entries."
    assert json.dumps(text) == '"2 entries"'
    for same in (copy.copy(text), copy.deepcopy(text), pickle.loads(pickle.dumps(text))):
        assert (same, same.ko) == (text, text.ko)
    assert clean(text).ko == text.ko  # type: ignore[attr-defined]
    with pytest.raises(KeyError):
        say("board.nonsense")
    with pytest.raises(KeyError):
        say("board.range", first=1)


def test_texts_join_in_both_languages_and_twins_need_a_korean() -> None:
    """A part without a twin stands in both; a challenge without a Korean text has plain English."""
    joined = both((say("board.cv"), "", "x", say("board.test_half")), ", ")
    assert (joined, korean(joined)) == ("CV, x, test", "CV, x, 테스트")
    assert type(twin("a", "")) is str
    assert type(twin("a", "a")) is str
    assert korean(twin("a", "가")) == "가"


def test_what_an_entrant_wrote_is_escaped_in_every_place() -> None:
    """In elements, in attributes, in SVG and in scripts."""
    text = say("rule.then", first='<b title="x">', second="</script>")
    html = str(escape(Text(text.en, text.ko)))
    for place in (html, str(in_svg(text)), str(tip(text)), str(label(text))):
        assert "<b" not in place
        assert '"x"' not in place
        assert "</script" not in place
    assert not set("<>&\u2028\u2029") & set(embedded({"a": [text, "\u2028&"]}))
    assert embedded({"a": float("nan")}) == '{"a":null}'
    assert json.loads(embedded({"a": text, "b": None, "c": say("site.name")})) == {
        "a": [text.en, text.ko] if text.ko != text.en else text.en,
        "b": None,
        "c": "MEDAL",
    }


def test_times_are_written_as_each_language_writes_them() -> None:
    """In UTC, whatever the offset; what is no time stays as it is."""
    when = date("2026-11-20T08:30:00+09:00")
    assert (when, korean(when)) == ("19 Nov 2026, 23:30 UTC", "2026년 11월 19일 23:30 UTC")
    assert [date(text) for text in ("", "2026-11-20", "9999-99-99T00:00:00Z")] == [
        "",
        "2026-11-20",
        "9999-99-99T00:00:00Z",
    ]
    assert [korean(duration(s)) for s in (5, 3245, 7200)] == ["5초", "54분", "2.0시간"]


@pytest.mark.parametrize("name", ["kium", "pneumonia", "brats"])
def test_every_challenge_speaks_korean(name: str) -> None:
    """Title, question and each metric's description have a twin; a card without any is as good as before."""
    content = catalog.challenge(name).card.model_dump()
    card = card_of(name, content, catalog.metric)
    for text in (
        card.title,
        card.task,
        card.description,
        card.ranking_note,
        *(m.description for m in card.metrics),
    ):
        assert re.search("[가-힣]", korean(text)), text
    without = ChallengeCard.model_validate(
        {
            "title": "t",
            "task": "x",
            "version": "1",
            "metrics": [{"key": "a", "metric": "auroc", "title": "A"}],
        }
    )
    plain = card_of("t", without.model_dump(), catalog.metric)
    assert type(plain.title) is type(plain.metrics[0].title) is str
