"""A user's mistake is one sentence that says what to type next."""

from __future__ import annotations

import errno
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import typer

from harness import catalog
from harness.cards import ChallengeCard, SubmissionCard
from harness.check import smaller_settings
from harness.cli import Verbs
from harness.config import (
    LimitsConfig,
    NewConfig,
    RunConfig,
    ScoreConfig,
    parse_words,
)
from harness.contracts import Case
from harness.errors import UserError
from harness.folds import make_folds
from harness.new import new_submission
from harness.validated import read_card
from tests.conftest import Workplace
from tests.fakes import TINY

CARD = "challenge: kium\nteam: T\ntitle: t\n"


@pytest.fixture
def empty(tmp_path: Path) -> Workplace:
    """A working folder with nothing in it."""
    return Workplace(tmp_path)


def card(folder: Path, text: str) -> SubmissionCard:
    """Read a card of that text."""
    path = folder / "submission.yaml"
    path.write_text(text, encoding="utf-8")
    return read_card(SubmissionCard, path)


# ------------------------------------------------------------------------------------ plain values
@pytest.mark.parametrize("text", ["2020-01-01", "2020-13-45", "2001-12-14t21:59:43.10-05:00", "=", "<<"])
def test_a_date_stays_the_text_that_was_written(tmp_path: Path, text: str) -> None:
    """In a word and in a card alike, whether the day exists or not."""
    word = parse_words(RunConfig, ["challenge=kium", f"model.lr={text}"]).model["lr"]
    read = card(tmp_path, f"{CARD.replace('title: t', f'title: {text}')}hyperparameters:\n  day: {text}\n")

    assert (word, read.title, read.hyperparameters) == (text, text, {"day": text})


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        ("!!set {a, b}", "the tag !!set is not allowed"),
        ("!!binary aGVsbG8=", "the tag !!binary is not allowed"),
        ("!!timestamp 2020-01-01", "the tag !!timestamp is not allowed"),
        ("!!bool maybe", "the tag !!bool is not allowed"),
        ("!mine x", "the tag !mine is not allowed"),
        ("{1: a, b: c}", "the key 1 is not text"),
        ("{yes: a}", "the key True is not text"),
        (".inf", "inf is not a number that can be stored"),
        ("[.nan]", "nan is not a number that can be stored"),
        ("[1.0e+999]", "inf is not a number that can be stored"),
        ("0b_", "a number cannot be read"),
        ("9" * 5000, "a number cannot be read"),
        ("99999999999999999999", "more than 64 bits"),
        ("[" * 40 + "]" * 40, "more than 32 levels"),
        ("[" * 60000, "more than 32 levels"),
        ('"\\ud800"', "half a character"),
    ],
)
def test_what_json_cannot_hold_is_refused(tmp_path: Path, value: str, sentence: str) -> None:
    """The word's sentence names its key, the card's its file."""
    with pytest.raises(UserError, match=r"^model\.lr: ") as of_word:
        parse_words(RunConfig, ["challenge=kium", f"model.lr={value}"])
    with pytest.raises(UserError, match=r"submission\.yaml cannot be read") as of_card:
        card(tmp_path, f"{CARD}hyperparameters:\n  lr: {value}\n")

    for caught in (of_word, of_card):
        assert sentence in str(caught.value)
        assert "\n" not in str(caught.value)
        assert len(str(caught.value)) < 400


def test_a_number_too_large_for_a_float_is_refused() -> None:
    """1e999 is no infinity."""
    with pytest.raises(UserError, match=r"model\.lr: the number is too large, but got '1e999'"):
        parse_words(RunConfig, ["challenge=kium", "model.lr=1e999"])


def test_a_whole_card_is_plain_json(tmp_path: Path) -> None:
    """What is read comes back from JSON unchanged."""
    read = card(tmp_path, f"{CARD}hyperparameters: {{a: 2020-01-01, b: [1, 0.5, null], c: {{d: true}}}}\n")
    values = read.model_dump(mode="json")

    assert values == json.loads(json.dumps(values, allow_nan=False))
    assert values["hyperparameters"] == {"a": "2020-01-01", "b": [1, 0.5, None], "c": {"d": True}}


# ------------------------------------------------------------------------------------------ bounds
@pytest.mark.parametrize(
    ("word", "sentence"),
    [
        ("limits.memory_gb=.inf", "limits.memory_gb: inf is not a number that can be stored"),
        ("limits.hours=.nan", "limits.hours: nan is not a number that can be stored"),
        ("limits.disk_gb=1e300", "limits.disk_gb: input should be less than or equal to 65536"),
        ("limits.output_mb=1e300", "limits.output_mb: input should be less than or equal to 65536"),
        ("limits.hours=100000", "limits.hours: input should be less than or equal to 8760"),
        ("limits.processes=4194305", "limits.processes: input should be less than or equal to 4194304"),
        ("trainer.max_epochs=1000000001", "trainer.max_epochs: input should be less than or equal to 10"),
        ("loader.batch_size=1000001", "loader.batch_size: input should be less than or equal to 1000000"),
        ("loader.validation='nan'", "loader.validation: input should be a finite number"),
        ("trainer.gradient_clip_val='inf'", "trainer.gradient_clip_val: input should be a finite number"),
    ],
)
def test_a_limit_no_machine_has_is_refused(word: str, sentence: str) -> None:
    """Infinite or absurd numbers never reach the operating system."""
    with pytest.raises(UserError) as caught:
        parse_words(RunConfig, ["challenge=kium", word])

    assert str(caught.value).startswith(sentence)


def test_the_largest_limits_fit_the_operating_system() -> None:
    """Bytes and seconds at the bound are whole numbers of 63 bits."""
    most = LimitsConfig(hours=8760, memory_gb=65536, processes=2**22, disk_gb=65536, output_mb=65536)

    assert max(int(most.memory_gb * 2**30), int(most.disk_gb * 2**30), int(most.hours * 3600)) < 2**63


# ------------------------------------------------------------------------------- cards, by sentence
QUESTION = {
    "title": "t",
    "task": "k",
    "version": "1",
    "metrics": [{"key": "a", "metric": "auroc", "title": "A"}],
}


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"task": None}, "card.yaml lacks the key 'task'. Add a line task: VALUE."),
        ({"tsk": "k"}, "card.yaml has an unknown key 'tsk'. Did you mean 'task'?"),
        ({"metrics": [{"key": "a", "metric": "auroc"}]}, "lacks the key 'title' under 'metrics.0'. Add a line title"),
        ({"ranking": {"decimal": 3}}, "unknown key 'decimal' under 'ranking'. Did you mean 'decimals'? Known: columns, decimals,"),
        ({"metrics": []}, "card.yaml: metrics: tuple should have at least 1 item"),
        ({"ranking": {"tie_breakers": ["b"]}}, "card.yaml: no metric has the key 'b'. Known: a."),
        ({"literature": [{"title": "x", "metric": "b", "value": 1}]}, "no metric has the key 'b'. Known: a."),
        ({"metrics": QUESTION["metrics"] * 2}, "card.yaml: two metrics have one key, among ['a', 'a']."),
    ],
)  # fmt: skip
def test_a_wrong_key_of_a_card_is_named_for_a_file(
    tmp_path: Path, change: dict[str, object], sentence: str
) -> None:
    """The hint is a line to write, not a word to type."""
    content = {key: value for key, value in {**QUESTION, **change}.items() if value is not None}
    path = tmp_path / "card.yaml"
    path.write_text(json.dumps(content))
    with pytest.raises(UserError) as caught:
        read_card(ChallengeCard, path)

    assert sentence in str(caught.value)


# -------------------------------------------------------------------------- words that contradict
@pytest.mark.parametrize(
    ("kind", "words", "sentence"),
    [
        (
            ScoreConfig,
            ["predictions=a.csv", "run=x"],
            "The words predictions= and run= contradict each other",
        ),
        (
            ScoreConfig,
            ["predictions=a.csv", "data=/x", "phantom=smoke"],
            "The words data= and phantom= contradict each other",
        ),
        (RunConfig, ["data=/x", "phantom=small"], "The words data= and phantom= contradict each other"),
    ],
)
def test_words_that_contradict_are_refused(kind: type[RunConfig], words: list[str], sentence: str) -> None:
    """No word is dropped in silence."""
    with pytest.raises(UserError) as caught:
        parse_words(kind, ["challenge=kium", *words])

    assert str(caught.value).startswith(sentence)


def test_words_that_agree_are_taken() -> None:
    """Each of them alone is fine."""
    assert parse_words(RunConfig, ["challenge=kium", "data=/x"]).phantom == "small"
    assert parse_words(RunConfig, ["challenge=kium", "phantom=smoke"]).data is None
    assert parse_words(ScoreConfig, ["challenge=kium", "run=x"]).predictions is None


# ------------------------------------------------------------------------------------ new, folds
@pytest.mark.parametrize("name", ["yes", "null", "on", "true"])
def test_a_new_submission_keeps_a_name_that_yaml_would_change(chdir: Callable[[], Path], name: str) -> None:
    """A title called yes is text."""
    chdir()
    folder = new_submission(name, NewConfig(challenge="kium", team='The "A": team 팀'))

    read = read_card(SubmissionCard, folder / "submission.yaml")
    assert (read.title, read.team, read.challenge) == (name, 'The "A": team 팀', "kium")


@pytest.mark.parametrize("team", ["\x7f", "half \udcff"])
def test_a_new_card_that_cannot_be_read_is_not_written(chdir: Callable[[], Path], team: str) -> None:
    """No folder is left behind."""
    root = chdir()
    with pytest.raises(UserError, match=r"The card of submissions/mine cannot be read"):
        new_submission("mine", NewConfig.model_construct(challenge="kium", team=team))

    assert not (root / "submissions").exists()


@pytest.mark.parametrize("team", ["", "x" * 201])
def test_a_new_team_has_the_limits_of_the_card(team: str) -> None:
    """Between 1 and 200 characters."""
    with pytest.raises(UserError, match=r"^team: string should have at "):
        parse_words(NewConfig, ["challenge=kium", f"team={team}"])


@pytest.mark.parametrize("n", [0, 1])
def test_folds_of_no_patients_name_the_data(n: int) -> None:
    """No number of folds is offered where none can be."""
    cases = [Case(f"c{i}", f"p{i}", ()) for i in range(n)]
    with pytest.raises(
        UserError, match=rf"at least 2 patients, but the development set has {n}\. Check that data="
    ):
        make_folds(cases, np.zeros((n, 1), dtype=np.bool_), 2, seed=0)


# ------------------------------------------------------------------------------ the file system
@pytest.mark.parametrize("place", ["runs", "site", "store"])
@pytest.mark.parametrize("below", ["", "/deep/er"])
def test_a_file_where_a_folder_must_be_is_seen_first(empty: Workplace, place: str, below: str) -> None:
    """Nothing is prepared or trained before the sentence."""
    (empty.root / "taken").write_text("x")
    printed = empty.harness("run", "challenge=kium", "phantom=smoke", f"{place}=taken{below}", code=2)

    assert printed == (
        f"harness: {place}: a folder is needed, but taken is a file. Name another place, or move the file.\n"
    )
    assert [path.name for path in empty.root.iterdir()] == ["taken"]


def test_a_file_in_the_way_of_a_new_submission_is_one_sentence(workplace: Workplace) -> None:
    """The file system's own refusal names the file that lies in the way."""
    (workplace.root / "submissions").write_text("x")
    printed = workplace.harness("new", "submission", "mine", "challenge=kium", code=2)

    assert printed.startswith("harness: submissions is where a folder must be. Move it, or give other places")
    assert printed.count("\n") == 1


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (
            PermissionError(errno.EACCES, "no", "here/runs"),
            "here/runs may not be read or written by this user",
        ),
        (
            PermissionError(errno.EPERM, "no", b"here/runs"),
            "here/runs may not be read or written by this user",
        ),
        (OSError(errno.ENOSPC, "full", "here/a.npy"), "here/a.npy cannot be written: the disk is full"),
        (OSError(errno.EROFS, "ro", "here/a.npy"), "here/a.npy cannot be written: its disk is read-only"),
        (IsADirectoryError(errno.EISDIR, "dir", "here"), "here is a folder where a file must be"),
        (FileExistsError(errno.EEXIST, "there", "here"), "here is where a folder must be"),
    ],
)
def test_what_the_file_system_refuses_a_verb_is_one_sentence(
    capsys: pytest.CaptureFixture[str], error: OSError, sentence: str
) -> None:
    """It names the path and exits with 2."""
    with pytest.raises(SystemExit) as end:
        failing_verb(error)
    printed = capsys.readouterr().err

    assert end.value.code == 2
    assert printed.startswith(f"harness: {sentence}")
    assert printed.count("\n") == 1


@pytest.mark.parametrize(
    "error",
    [
        PermissionError(errno.EPERM, "a signal, no file"),
        PermissionError(errno.EPERM, "ours", "/proc/self/uid_map"),
        OSError(errno.ENOSPC, "no file"),
        OSError(errno.EBADF, "a descriptor", "x"),
        FileNotFoundError(errno.ENOENT, "missing", "x"),
        FileExistsError(errno.EEXIST, "a descriptor", 7),
        ValueError("a bug"),
    ],
)
def test_a_bug_keeps_its_traceback(error: Exception) -> None:
    """Only refusals of the file system that name a path are the user's."""
    with pytest.raises(type(error)) as caught:
        failing_verb(error)

    assert caught.value is error


def failing_verb(error: Exception) -> None:
    """Run a verb of the command line's own class that raises."""
    app = typer.Typer(cls=Verbs, pretty_exceptions_enable=False)

    @app.command()
    def fail() -> None:
        raise error

    @app.command()
    def other() -> None:
        pass

    app(["fail"], standalone_mode=False)


# --------------------------------------------------------------------------- a broken neighbour
BROKEN = {
    "brats": "title: draft\nversion: '1'\nmetrics: [{key: a, metric: auroc, title: A}]\n",
    "dice": "title: t\ntask: k\nversion: '1'\nmetrics: [{key: a, metric: dise, title: A}]\n",
    "ties": "title: t\ntask: k\nversion: '1'\nmetrics: [{key: a, metric: auroc, title: A}]\nranking: {tie_breakers: [b]}\n",
}


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("brats", "lacks the key 'task'. Add a line task: VALUE."),
        ("dice", "No metric named 'dise'."),
        ("ties", "no metric has the key 'b'"),
    ],
)
def test_a_broken_challenge_leaves_the_others_alone(workplace: Workplace, name: str, sentence: str) -> None:
    """It is left out of the boards in one line; asked for, it is the error."""
    folder = workplace.root / "challenges" / name
    folder.mkdir(parents=True)
    (folder / "challenge.yaml").write_text(BROKEN[name])
    printed = workplace.harness("leaderboard", "challenge=kium")
    asked = workplace.harness("run", f"challenge={name}", code=2)

    assert printed.count(f"challenge {name!r} is left out") == 1
    assert sentence in printed
    assert (workplace.root / "site" / "index.html").is_file()
    assert asked.startswith("harness: ")
    assert sentence in asked


# ------------------------------------------------------------------------------------------- check
def test_a_misspelt_key_of_check_names_what_is_known(empty: Workplace) -> None:
    """Hyperparameters and preparation options, each by its kind, before anything is prepared."""
    entry = empty.submission("slow", TINY, hyperparameters={"sleep": 0.0}, check={"slep": 1.0})
    printed = empty.harness("check", entry, code=2)

    assert (
        "entries/slow/submission.yaml has an unknown key 'check.slep'. Did you mean 'check.sleep'?" in printed
    )
    assert "Known hyperparameters: sleep; known preparation options: size." in printed
    assert not (empty.root / "prepared").exists()


def test_the_keys_of_check_reach_the_model_and_the_preparation(workplace: Workplace) -> None:
    """Each goes where it belongs."""
    kium = catalog.challenge("kium")
    word = workplace.submission(
        "fast", TINY, hyperparameters={"sleep": 1.0}, check={"sleep": 0.0, "size": 48}
    )
    entry = catalog.open_submission(str(workplace.root / word.partition("=")[2]))

    assert smaller_settings(kium, entry) == {"model": {"sleep": 0.0}, "preparation": {"size": 48}}


def test_the_check_trains_with_one_thread(workplace: Workplace) -> None:
    """On however many cores."""
    threads = "        return torch.optim.Adam"
    model = TINY.replace(threads, f"        assert torch.get_num_threads() == 1\n{threads}")

    assert "All is well" in workplace.harness("check", workplace.submission("one", model))
