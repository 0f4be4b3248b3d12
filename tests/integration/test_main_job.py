"""The README's commands, and what the main job must show."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path

import pytest

from tests.conftest import PROJECT, Workplace

README = (PROJECT / "README.md").read_text(encoding="utf-8")
COMMANDS = [line for block in re.findall(r"```sh\n(.*?)```", README, re.S) for line in block.splitlines()]
VERBS = [shlex.split(line.partition("uv run harness ")[2]) for line in COMMANDS if "uv run harness " in line]


def interval(record: dict, half: str, metric: str = "auroc_aneurysm") -> tuple[float, float]:
    """Return a metric's 95 % interval."""
    found = record[half]["metrics"][metric]
    return found["low"], found["high"]


def test_the_two_commands_of_the_readme_are_the_main_job_and_the_tests() -> None:
    """They come first, as CI and a fresh machine type them."""
    install = "pip install uv && uv sync --compile-bytecode"
    assert COMMANDS[:2] == [f"{install} && uv run harness run challenge=kium", "uv run pytest"]


def test_the_main_job_says_in_one_line_that_it_uses_phantoms(main_job: Workplace) -> None:
    """And how to point it at the real folder; the second time it has nothing to do."""
    printed = main_job.harness("run", "challenge=kium")

    assert "No data given: using phantom patients" in printed
    assert "data=/path/to/2023_k_ium_composition" in printed
    assert "Already done" in printed


@pytest.mark.parametrize("words", VERBS[1:], ids=" ".join)
def test_every_other_command_of_the_readme_runs(main_job: Workplace, words: list[str]) -> None:
    """In the folder of the main job, in the README's order; output.csv is the baseline's own."""
    folder = main_job.root / "runs/kium" / main_job.record("baseline")["run_id"]
    (main_job.root / "output.csv").write_bytes((folder / "predictions/output_test.csv").read_bytes())
    if words[:2] == ["new", "submission"]:
        subprocess.run(["rm", "-rf", str(main_job.root / "submissions" / words[2])], check=True)
    fast = ["trainer.max_epochs=1"] if words[0] == "run" else []
    main_job.harness(*words, *fast)


@pytest.mark.parametrize("half", ["cv", "test"])
def test_the_learned_baseline_beats_chance_and_the_constant_answer_by_more_than_its_interval(
    main_job: Workplace, half: str
) -> None:
    """The whole interval of its AUROC lies above .5, which is also what the constant answer has."""
    constant = main_job.record("no_aneurysm")[half]["metrics"]["auroc_aneurysm"]["value"]

    assert constant == 0.5
    assert interval(main_job.record("baseline"), half)[0] > 0.5


def test_the_site_is_there_and_says_phantom(main_job: Workplace) -> None:
    """One page for the board; the README's other commands made boards of their own."""
    pages = sorted(
        path.relative_to(main_job.root / "site") for path in (main_job.root / "site").rglob("*.html")
    )
    boards = [page for page in pages if page.parts[0] == "kium" and page.parts[2:] == ("index.html",)]

    assert len(boards) == 1
    assert boards[0].parts[1].startswith("phantom-")
    assert "hantom" in (main_job.root / "site" / boards[0]).read_text(encoding="utf-8")
    assert Path("index.html") in pages
