"""The verbs. Each imports what it needs when it is typed, so that `harness --help` answers at once."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer
import typer.core

from harness.errors import UserError, did_you_mean, of_file_system

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.config import Place
    from harness.records import RunRecord
    from leaderboard.card import Card

FAILED, USER_ERROR, INTERRUPTED = 1, 2, 130
PORT = 8000
CHECK = "Compare the site with the records and write nothing; exit code 1 if it differs."
SERVE = "Serve the site on this machine alone and rebuild it when the runs change."


class Verbs(typer.core.TyperGroup):
    """Turn a user's mistake into one sentence, and a stop into a clean end."""

    def invoke(self, ctx: Any) -> Any:  # noqa: ANN401  typer's own click is private
        """Run the verb."""
        try:
            return super().invoke(ctx)
        except UserError as error:
            _say_and_exit(error)
        except OSError as error:
            sentence = of_file_system(error)
            if sentence is None:
                raise
            _say_and_exit(sentence)
        except KeyboardInterrupt:
            print("\nStopped. What is done is kept: the same command goes on from here.", file=sys.stderr)
            sys.exit(INTERRUPTED)


def _say_and_exit(error: UserError) -> NoReturn:
    print(f"harness: {error}", file=sys.stderr)
    sys.exit(USER_ERROR)


app = typer.Typer(
    cls=Verbs,
    name="harness",
    help="Train, score and rank medical-imaging models under one protocol.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
Words = Annotated[list[str] | None, typer.Argument(metavar="KEY=VALUE...", show_default=False)]


@app.command()
def run(words: Words = None) -> None:
    """Train and score a submission under the challenge's folds, and rebuild the leaderboard.

    Words: challenge=NAME submission=NAME|PATH data=PATH truth=PATH folds=10 seed=0 seeds=3 jobs=2
    sandbox=auto|bubblewrap|reduced|off executor=local|inline|dask wandb.mode=disabled|offline|online
    trainer.KEY=VALUE loader.KEY=VALUE model.KEY=VALUE preparation.KEY=VALUE limits.KEY=VALUE
    sweep.trials=40 sweep.sampler=tpe|random|grid|cmaes sweep.space.NAME='loguniform(1e-5, 1e-2)'
    sweep.pruner=wilcoxon|none sweep.nested=true sweep.inner_folds=5 sweep.storage=URL
    runs=PATH site=PATH store=PATH phantom=small|smoke and the challenge's own words, such as variant=NAME
    """
    from harness.board import cards_of
    from harness.config import RunConfig, parse_words

    given = words or []
    config = parse_words(RunConfig, given)
    cards = cards_of(config.challenge)
    if config.sweep.wanted:
        from harness.sweep import sweep as run_verb
    else:
        from harness.run import run as run_verb
    record = run_verb(config, given)
    _show(record, config, cards)
    if record.state == "failed":
        raise typer.Exit(FAILED)


@app.command()
def score(words: Words = None) -> None:
    """Score a prediction file against the sealed truth, on the same board as the code entries.

    Words: challenge=NAME predictions=output.csv team=NAME name=NAME title=TEXT data=PATH truth=PATH,
    or run=RUN_ID to score a stored run whose test truth has arrived. With predictions= and truth= alone
    the file is scored as the organiser's own script does, and no board is touched.
    """
    from harness.board import cards_of, print_half
    from harness.config import ScoreConfig, parse_words
    from harness.score import score as score_verb
    from harness.score import score_against_file

    given = words or []
    config = parse_words(ScoreConfig, given)
    if config.truth is not None and config.data is None and config.run is None:
        print_half(score_against_file(config))
        return
    cards = cards_of(config.challenge)
    _show(score_verb(config, given), config, cards)


@app.command()
def rescore(words: Words = None) -> None:
    """Score every stored run again from its stored predictions, after a change of metric, scorer or truth.

    Words: challenge=NAME data=PATH truth=PATH phantom=small|smoke and the challenge's own words.
    Old records stay; the board before the change stays on the site, labelled.
    """
    from harness.board import build_site, cards_of, print_boards
    from harness.config import RescoreConfig, parse_words
    from harness.rescore import rescore as rescore_verb

    given = words or []
    config = parse_words(RescoreConfig, given)
    cards = cards_of(config.challenge)
    done = rescore_verb(config, given)
    print_boards(config, cards[config.challenge], done.fingerprint)
    print(
        f"Scored again: {len(done.written)}. Already scored so: {done.current}. "
        f"Without predictions: {done.bare}. On other data: {done.elsewhere}."
    )
    build_site(config, cards)


@app.command()
def reproduce(run_id: str, words: Words = None) -> None:
    """Train a stored run of a code entry again, compare its predictions case by case, and set the badge.

    Words: challenge=NAME fold=N submission=NAME|PATH data=PATH truth=PATH phantom=small|smoke jobs=2
    sandbox=auto|bubblewrap|reduced|off executor=local|inline|dask runs=PATH site=PATH store=PATH
    """
    from harness.board import build_site, cards_of
    from harness.config import ReproduceConfig, parse_words
    from harness.reproduce import reproduce as reproduce_verb
    from harness.reproductions import TOLERANCE

    config = parse_words(ReproduceConfig, [f"run={run_id}", *(words or [])])
    cards = cards_of(config.challenge)
    found = reproduce_verb(config)
    print(f"{len(found.folds)} of {found.n_folds} folds trained again, {found.cases} predictions compared.")
    print(f"Largest difference: {found.largest!r}{f' (case {found.worst})' if found.worst else ''}.")
    print(f"Difference of {found.metric}: {found.metric_difference!r}. Allowed: {TOLERANCE:g} of both.")
    if found.stated > 1e-9:
        print("The record's numbers are not those of its own stored predictions: it was altered.")
    print(f"{found.words.capitalize()}." if found.words else "NOT reproduced: no badge.")
    build_site(config, cards)
    if not found.words:
        raise typer.Exit(FAILED)


@app.command()
def explain(words: Words = None) -> None:
    """Show on an entry's page where its model looks: Grad-CAM maps of chosen held-out cases.

    The folds that held the cases out are trained again, as models are not stored.

    Words: run=RUN_ID cases=ID,ID or cases=worst:3,median:1,best:3 fold=N data=PATH
    runs=PATH site=PATH store=PATH
    """
    from harness.board import build_site, cards_of
    from harness.config import ExplainConfig, parse_words
    from harness.explain import explain as explain_verb

    given = words or []
    config = parse_words(ExplainConfig, given)
    record, failures = explain_verb(config, given)
    build_site(config, cards_of(record.challenge.name))
    if failures:
        raise typer.Exit(FAILED)


@app.command()
def export(words: Words = None) -> None:
    """Write one archive of a challenge: definition, folds, records and predictions, with their SHA-256.

    Words: challenge=NAME to=FILE.zip private=true runs=PATH
    Never the truth. The test half's scores by case are left out too, unless private=true.
    """
    from harness.config import ExportConfig, parse_words
    from harness.exchange import export as export_verb

    config = parse_words(ExportConfig, words or [])
    path, files, size = export_verb(config)
    print(f"Wrote {path}: {files} files, {size / 1e6:.1f} MB.")


@app.command(name="import")
def import_archive(file: str, words: Words = None) -> None:
    """Read an archive that `harness export` wrote, after checking all of it: harness import FILE.zip.

    Words: runs=PATH site=PATH
    """
    from harness.board import build_site, cards_of
    from harness.config import ImportConfig, parse_words
    from harness.importing import import_archive as import_verb

    config = parse_words(ImportConfig, [f"file={file}", *(words or [])])
    challenge, new, known = import_verb(config)
    print(f"{challenge}: {new} runs read, {known} were there already.")
    build_site(config, cards_of(challenge))


@app.command()
def leaderboard(
    words: Words = None,
    check: Annotated[bool, typer.Option("--check", help=CHECK)] = False,
    serve: Annotated[bool, typer.Option("--serve", help=SERVE)] = False,
    port: Annotated[int | None, typer.Option("--port", help=f"Of --serve: {PORT}.", min=0, max=65535)] = None,
) -> None:
    """Show the boards in the terminal and rebuild the site.

    Words: challenge=NAME runs=PATH site=PATH
    at=2026-11-20 for the boards as of that day, in a folder of their own within the site
    """
    from datetime import UTC, datetime

    from harness.board import build_site, cards_of, check_site, print_boards, serve_site
    from harness.config import LeaderboardConfig, parse_words
    from leaderboard.moments import parse_moment

    config = parse_words(LeaderboardConfig, words or [])
    moment = parse_moment(config.at, datetime.now(UTC)) if config.at is not None else None
    if check and serve:
        raise UserError("--check and --serve contradict each other: type one of them.")
    if port is not None and not serve:
        raise UserError(f"--port belongs to --serve. Type harness leaderboard --serve --port {port}.")
    if serve:
        serve_site(config, config.challenge, PORT if port is None else port)
        return
    cards = cards_of(config.challenge)
    if check:
        if not check_site(config, cards, moment):
            raise typer.Exit(FAILED)
        return
    for name in cards if config.challenge is None else (config.challenge,):
        print_boards(config, cards[name], moment=moment)
    build_site(config, cards, moment)


@app.command()
def look(run_id: str, words: Words = None) -> None:
    """Look at the test score of one run of a sealed challenge: harness look RUN_ID challenge=NAME.

    Every look is written into the challenge's ledger, which the board shows; a team has as many as
    challenge.yaml says. Words: challenge=NAME runs=PATH site=PATH
    """
    from harness.board import build_site, cards_of, print_half
    from harness.config import LookConfig, parse_words
    from harness.look import look as look_verb

    config = parse_words(LookConfig, [f"run={run_id}", *(words or [])])
    found = look_verb(config)
    print_half(found.half)
    print(found.words)
    build_site(config, cards_of(config.challenge))


@app.command()
def compare(first: str, second: str, words: Words = None) -> None:
    """Compare two entries of a board, metric by metric and case by case: harness compare A B challenge=NAME.

    A and B are names of entries, ids of rows or run ids. Words: challenge=NAME board=ID runs=PATH
    """
    from rich.console import Console

    from harness.board import cards_of
    from harness.config import BoardConfig, parse_words
    from leaderboard.case_ranks import case_files
    from leaderboard.comparison import compare as compared
    from leaderboard.finding import board_of, boards_of, row_of
    from leaderboard.resampled import resample_files
    from leaderboard.verdicts import render_comparison

    config = parse_words(BoardConfig, words or [])
    card = cards_of(config.challenge)[config.challenge]
    standing = board_of(boards_of(config.runs, card), (first, second), config.board)
    a, b = row_of(standing, first), row_of(standing, second)
    if a.id == b.id:
        raise UserError(f"{first!r} and {second!r} are the same entry. Name two.")
    found = compared(a, b, standing, resample_files(config.runs), case_files(config.runs))
    Console().print(render_comparison(found, standing))


@app.command(name="explain-rank")
def explain_rank(name: str, words: Words = None) -> None:
    """Say why an entry has its rank, and how sure that is: harness explain-rank NAME challenge=NAME.

    NAME is the name of an entry, the id of a row or a run id. Words: challenge=NAME board=ID runs=PATH
    """
    from rich.console import Console

    from harness.board import cards_of
    from harness.config import BoardConfig, parse_words
    from leaderboard.explanation import explain
    from leaderboard.finding import board_of, boards_of, row_of
    from leaderboard.resampled import resample_files
    from leaderboard.verdicts import render_explanation

    config = parse_words(BoardConfig, words or [])
    standing = board_of(
        boards_of(config.runs, cards_of(config.challenge)[config.challenge]), (name,), config.board
    )
    found = explain(row_of(standing, name), standing, resample_files(config.runs))
    Console().print(render_explanation(found, standing))


@app.command()
def new(kind: str, name: str, words: Words = None) -> None:
    """Write a submission that runs as it is: harness new submission NAME challenge=NAME."""
    from harness.config import NewConfig, parse_words
    from harness.new import new_submission

    if kind != "submission":
        raise UserError(f"Cannot write a new {kind!r}. {did_you_mean(kind, ['submission'])}")
    config = parse_words(NewConfig, words or [])
    folder = new_submission(name, config)
    print(f"Wrote {folder}/submission.yaml and {folder}/model.py. Next:")
    print(f"  harness check submission={name}")
    print(f"  harness run challenge={config.challenge} submission={name}")


@app.command()
def check(words: Words = None) -> None:
    """Prove in under a minute, on phantom patients and in the sandbox, that a submission trains and predicts.

    Words: submission=NAME|PATH challenge=NAME sandbox=auto|bubblewrap|reduced|off
    """
    from harness.check import check as check_verb
    from harness.config import CheckConfig, parse_words

    outcome = check_verb(parse_words(CheckConfig, words or []), print)
    if outcome.failure is not None:
        print(f"FAILED ({outcome.failure.kind.value}): {outcome.failure.reason}")
        print("".join(f"  | {line}\n" for line in outcome.log.splitlines()[-30:]), end="")
        raise typer.Exit(FAILED)
    print(f"All is well ({outcome.seconds:.1f} s).")


@app.command(name="list")
def list_units() -> None:
    """List the challenges, submissions, metrics and executors."""
    from harness import catalog

    for kind in ("challenges", "submissions", "metrics", "executors"):
        print(f"{kind}:")
        for name in catalog.names(kind):
            print(f"  {name}")


@app.command()
def doctor() -> None:
    """Say what this machine can do, and which isolation an entry would run under."""
    from harness.doctor import report

    for found in report():
        mark = "ok" if found.ok else "no"
        print(f"{mark:>3}  {found.name}: {found.detail}")
        if not found.ok and found.advice:
            print(f"     {found.advice}")


def _show(record: RunRecord, config: Place, cards: Mapping[str, Card]) -> None:
    from harness.board import build_site, print_boards

    print_boards(config, cards[record.challenge.name], record.data.fingerprint)
    build_site(config, cards)


def _interrupt(signum: int, frame: object) -> NoReturn:
    raise KeyboardInterrupt


def main() -> None:
    """Run the command line: exit code 0, 1 (a fold failed), 2 (user error) or 130 (stopped)."""
    import signal

    signal.signal(signal.SIGTERM, _interrupt)
    app()
