"""What is light stays light, and the arrows of the design hold."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
HEAVY = (
    "torch",
    "numpy",
    "pandas",
    "sklearn",
    "scipy",
    "monai",
    "lightning",
    "pytorch_lightning",
    "pydantic",
    "optuna",
    "wandb",
    "plotly",
    "cv2",
)
LEADERBOARD_MAY = {
    *("atomic", "records", "resamples", "metrics", "ranking", "stability", "comparisons", "statistics"),
    *("errors", "contracts", "reproductions", "sealing"),
}


@pytest.mark.parametrize(
    "words", [["--help"], ["list"], ["run", "--help"], ["score", "--help"], ["compare", "--help"]]
)
def test_light_verbs_load_no_heavy_library(words: list[str]) -> None:
    """A fresh interpreter that answered the verb has none of them in sys.modules."""
    program = (
        "import sys; sys.argv = ['harness', *sys.argv[1:]]\n"
        "from harness.cli import main\n"
        "try: main()\n"
        "except SystemExit as end: assert end.code in (0, None), end.code\n"
        f"print('LOADED', [name for name in {HEAVY!r} if name in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", program, *words], capture_output=True, text=True, check=True)

    assert done.stdout.splitlines()[-1] == "LOADED []"


@pytest.mark.parametrize(
    "module", ["harness.run", "harness.score", "leaderboard.site", "leaderboard.terminal"]
)
def test_the_parent_never_loads_torch(module: str) -> None:
    """Training happens in the isolated processes only."""
    program = f"import sys, {module}; print([m for m in ('torch', 'pytorch_lightning', 'monai') if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=PROJECT
    )

    assert done.stdout == "[]\n"


def imported(path: Path) -> set[str]:
    """Return the dotted names that a file imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def arrows(folder: str) -> list[tuple[str, str]]:
    """Return (file, imported name) of a top-level folder."""
    return [(path.name, name) for path in sorted((PROJECT / folder).rglob("*.py")) for name in imported(path)]


def test_the_leaderboard_knows_few_parts_of_the_harness() -> None:
    """It never reaches training, sandbox or configuration."""
    wrong = [
        (file, name)
        for file, name in arrows("leaderboard")
        if name.startswith("harness.") and name.split(".")[1] not in LEADERBOARD_MAY
    ]

    assert [] == wrong


def test_the_harness_reaches_the_units_through_the_catalog_only() -> None:
    """No module of the harness names a challenge or a submission; only the verbs know the leaderboard."""
    tops = ("challenges", "submissions", "leaderboard")
    wrong = [
        (file, name)
        for file, name in arrows("harness")
        if name.split(".")[0] in tops and file not in ("cli.py", "board.py")
    ]

    assert [] == wrong


def test_units_import_the_harness_but_not_the_board() -> None:
    """challenges/ and submissions/ never import leaderboard/."""
    wrong = [
        pair
        for folder in ("challenges", "submissions")
        for pair in arrows(folder)
        if pair[1].startswith("leaderboard")
    ]

    assert [] == wrong


def test_modules_stay_under_400_lines() -> None:
    """A module that outgrows the ceiling is divided."""
    sizes = {
        str(path.relative_to(PROJECT)): len(path.read_text(encoding="utf-8").splitlines())
        for folder in ("harness", "leaderboard", "challenges", "submissions")
        for path in (PROJECT / folder).rglob("*.py")
    }

    assert {} == {name: size for name, size in sizes.items() if size >= 400}
