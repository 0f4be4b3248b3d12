"""The name you type is the path you open."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from harness import catalog
from harness.errors import UserError
from harness.plan import named_libraries
from tests.fakes import TINY

CARD = "challenge: kium\nteam: T\ntitle: t\n"


def write_submission(folder: Path, card: str = CARD) -> Path:
    """Write a submission folder."""
    folder.mkdir(parents=True)
    (folder / "submission.yaml").write_text(card)
    (folder / "model.py").write_text(TINY)
    return folder


def test_the_working_folder_comes_first(chdir: Callable[[], Path]) -> None:
    """A folder under ./submissions is found by its name."""
    folder = write_submission(chdir() / "submissions" / "ours")

    assert "ours" in catalog.names("submissions")
    assert folder == catalog.submission("ours", catalog.challenge("kium")).folder


def test_a_path_opens_a_folder_anywhere(tmp_path: Path) -> None:
    """`submission=/some/where/entry` needs no submissions/ folder."""
    folder = write_submission(tmp_path / "entry")

    assert catalog.submission(str(folder), catalog.challenge("kium")).name == "entry"


@pytest.mark.parametrize(
    ("word", "sentence"),
    [
        ("aim_eficientnet", "Did you mean 'aim_efficientnet'?"),
        ("../../etc", "has no submission.yaml"),
        ("A B", "No submission"),
    ],
)
def test_an_unknown_submission_is_one_sentence(word: str, sentence: str) -> None:
    """It says what is known."""
    with pytest.raises(UserError, match=sentence.replace("?", r"\?")):
        catalog.submission(word, catalog.challenge("kium"))


def test_an_answer_to_another_challenge_is_refused(tmp_path: Path) -> None:
    """The sentence says which word to type."""
    folder = write_submission(tmp_path / "entry", CARD.replace("kium", "brats"))
    with pytest.raises(UserError, match="Type challenge=brats"):
        catalog.submission(str(folder), catalog.challenge("kium"))


def test_the_digest_sees_every_byte_and_no_byte_code(tmp_path: Path) -> None:
    """A comment changes it; __pycache__ does not."""
    folder = write_submission(tmp_path / "entry")
    kium = catalog.challenge("kium")
    first = catalog.submission(str(folder), kium).digest
    (folder / "__pycache__").mkdir()
    (folder / "__pycache__" / "model.pyc").write_bytes(b"x")
    assert first == catalog.submission(str(folder), kium).digest

    (folder / "model.py").write_text(TINY + "# later\n")
    assert first != catalog.submission(str(folder), kium).digest


def test_only_what_ships_with_the_project_is_trusted(tmp_path: Path) -> None:
    """A stranger's copy of a shipped name is a stranger's."""
    kium = catalog.challenge("kium")

    assert catalog.submission("baseline", kium).trusted
    assert catalog.submission("aim_efficientnet", kium).trusted
    assert not catalog.submission(str(write_submission(tmp_path / "aim_efficientnet")), kium).trusted


def test_training_code_and_scoring_code_have_keys_of_their_own(tmp_path: Path) -> None:
    """A change of the scorer asks for scoring again, not for training."""
    import shutil

    copy = tmp_path / "kium"
    shutil.copytree(catalog.challenge("kium").folder, copy)
    before = catalog.Challenge("kium", copy)
    keys = before.training_digest, before.scoring_digest
    (copy / "panel.py").write_text((copy / "panel.py").read_text() + "# later\n")
    after = catalog.Challenge("kium", copy)

    assert keys[0] == after.training_digest
    assert keys[1] != after.scoring_digest


@pytest.mark.parametrize(
    ("code", "libraries"),
    [
        ("import torch", []),
        ("from challenges.brats.labels import ET", []),
        ("from challenges.brats.baseline import Model", ["monai"]),
        ("import challenges.brats.baseline as base", ["monai"]),
        ("from challenges.brats import (\n    baseline,\n    labels,\n)", ["monai"]),
        ("from challenges.brats.scorer import score", []),
        ("import albumentations\nthis is no Python", ["albumentations"]),
    ],
)
def test_a_zygote_preloads_what_the_entry_names(tmp_path: Path, code: str, libraries: list[str]) -> None:
    """What only other entries need would slow every run; an entry's code need not even be Python."""
    folder = write_submission(tmp_path / "entry", CARD.replace("kium", "brats"))
    (folder / "model.py").write_text(code)
    challenge = catalog.challenge("brats")
    entry = catalog.submission(str(folder), challenge)

    assert named_libraries([*challenge.training_files_of(entry), *entry.files]) == libraries
