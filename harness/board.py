"""What the verbs show of the boards: in the terminal, as a site, as a server."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from harness import catalog
from harness.errors import UserError
from harness.sealing import clock

if TYPE_CHECKING:
    from harness.config import Place
    from harness.records import Half
    from leaderboard.card import Card
    from leaderboard.moments import Moment

__all__ = ["build_site", "cards_of", "check_site", "print_boards", "print_half", "serve_site"]

MOST_SHOWN = 20


def cards_of(asked: str | None) -> dict[str, Card]:
    """Return every challenge's card; a broken one that nobody asked for is left out, in a line.

    Raises:
        UserError: if the challenge that was asked for is broken, or none.
    """
    from leaderboard.card import card_of

    if asked is not None:
        catalog.challenge(asked)
    found = {}
    for name in catalog.names("challenges"):
        try:
            found[name] = card_of(name, catalog.challenge(name).card.model_dump(), catalog.metric)
        except UserError as error:
            if name == asked:
                raise
            print(f"harness: challenge {name!r} is left out: {error}", file=sys.stderr)
    return found


def print_boards(
    config: Place, card: Card, fingerprint: str | None = None, moment: Moment | None = None
) -> None:
    """Print a challenge's boards, or the one of this data, as of now or of a moment."""
    from rich.console import Console

    from leaderboard.finding import boards_of
    from leaderboard.sealed import limits_of
    from leaderboard.standings import standings
    from leaderboard.terminal import render

    console = Console()
    found = boards_of(config.runs, card, fingerprint, moment) or [standings([], card)]
    for standing in found:
        console.print(render(standing))
    if any(limits_of(standing.board, card) for standing in found):
        console.print(f"The clock here: {clock(datetime.now(UTC).astimezone())}.", highlight=False)


def print_half(half: Half) -> None:
    """Print the scores of a file that no board knows."""
    for key, interval in half.metrics.items():
        value = "undefined" if interval.value is None else repr(interval.value)
        within = "" if interval.low is None else f"  [{interval.low:.4f}, {interval.high:.4f}]"
        print(f"{key:28} {value}{within}")
    for key, number in (half.positional or {}).items():
        shown = "undefined" if number is None else repr(number)
        print(f"{key:28} {shown}  by row position, as the organiser's script")


def build_site(config: Place, cards: Mapping[str, Card], moment: Moment | None = None) -> None:
    """Build the site and print where it is."""
    from leaderboard.site import build

    page = build(config.runs, config.site, cards, moment=moment)
    print(f"Leaderboard: {page.resolve().as_uri()}")


def check_site(config: Place, cards: Mapping[str, Card], moment: Moment | None = None) -> bool:
    """Say how the site's folder differs from what the records say, and whether it is the same."""
    from leaderboard.site import check

    found = check(config.runs, config.site, cards, moment)
    for item in found[:MOST_SHOWN]:
        print(f"{item.how:>9}  {item.name}")
    if len(found) > MOST_SHOWN:
        print(f"and {len(found) - MOST_SHOWN} more")
    if found:
        files = "1 file" if len(found) == 1 else f"{len(found)} files"
        print(f"{config.site} is not what the records say: {files}. Type harness leaderboard to renew it.")
    else:
        print(f"{config.site} is what the records say, file by file.")
    return not found


def serve_site(config: Place, asked: str | None, port: int) -> None:
    """Serve the site until Ctrl-C; rebuild it when a run or a card changes, or sealed scores are opened."""
    from functools import partial

    from leaderboard.serve import serve, state_of
    from leaderboard.site import build

    files = [catalog.challenge(name).folder / "challenge.yaml" for name in catalog.names("challenges")]
    cards = cards_of(asked)

    def rebuild() -> None:
        cards.update(cards_of(asked))
        build(config.runs, config.site, cards)

    def state() -> object:
        now = datetime.now(UTC)
        opened = [name for name, card in cards.items() if card.sealed_until and card.sealed_until <= now]
        return state_of(config.runs, files), opened

    serve(config.site, port, state, rebuild, partial(print, flush=True))
