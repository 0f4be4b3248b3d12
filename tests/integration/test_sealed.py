"""A submission that goes looking for the sealed labels in a real run gets nothing."""

from __future__ import annotations

from tests.conftest import Workplace, needs
from tests.fakes import attacking

SEARCH = """
        import glob, os
        found, secrets = [], ("SEALED-ENV",)

        def look(path):
            try:
                with open(path, "rb") as file:
                    found.append((path, file.read(100)))
            except OSError:
                pass

        for path in self.hparams.paths:
            look(path)
            for root in glob.glob("/proc/[0-9]*/root") + glob.glob("/proc/[0-9]*/cwd") + ["/proc/self/root"]:
                look(root + path)
                look(root + "/../../../.." + path)
        for environ in glob.glob("/proc/[0-9]*/environ"):
            try:
                text = open(environ, "rb").read().decode(errors="replace")
            except OSError:
                continue
            found += [(environ, secret) for secret in secrets if secret in text]
        found += [("os.environ", key) for key, value in os.environ.items() if "SEALED-ENV" in value]
        for descriptor in glob.glob("/proc/[0-9]*/fd/*"):
            try:
                target = os.readlink(descriptor)
            except OSError:
                continue
            if target.endswith(".csv") or "groundtruth" in target:
                found.append((descriptor, target))
        for folder, folders, files in os.walk("/"):
            folders[:] = [name for name in folders if name not in ("proc", "sys", "site-packages", "usr")]
            found += [(folder, name) for name in files if name in ("train.csv", "groundtruth.csv", "record.json")]
        if found:
            raise RuntimeError(f"FOUND {found[:5]}")
        print("FOUND NOTHING")
"""


def seeker() -> str:
    """Return a model that searches at the end of every fit."""
    model = attacking(SEARCH.strip()).replace(
        "def __init__(self, sleep=0.0, victim=-1):\n        super().__init__()",
        "def __init__(self, sleep=0.0, victim=-1, paths=()):\n        super().__init__()\n"
        "        self.save_hyperparameters()",
    )
    return model.replace("if torch.initial_seed() == self.victim:", "if True:")


def test_a_submission_that_searches_everywhere_finds_no_sealed_label(workplace: Workplace) -> None:
    """By path, through /proc, the parent's environment and descriptors, and by walking the whole tree."""
    needs("bwrap")
    words = ("challenge=kium", "phantom=smoke", "folds=2")
    workplace.harness(
        "run", *words, workplace.submission("plain", attacking("pass"), trainer={"max_epochs": 1})
    )
    root = next((workplace.root / "prepared/kium").glob("phantom-*"))
    sealed = [str(root / name) for name in ("train.csv", "groundtruth.csv", "phantom.json")]
    entry = workplace.submission(
        "seeker", seeker(), trainer={"max_epochs": 1}, hyperparameters={"paths": sealed}
    )
    workplace.harness("run", *words, entry, SECRET="SEALED-ENV")
    record = workplace.record("seeker")
    logs = (workplace.root / "runs/kium" / record["run_id"] / "log").glob("*.txt")

    assert ["done", "done"] == [cell["state"] for cell in record["cells"]]
    assert all("FOUND NOTHING" in path.read_text() for path in logs)


def test_the_search_itself_works_where_nothing_is_sealed(workplace: Workplace) -> None:
    """With sandbox=off the same search finds the files, so that finding nothing means something."""
    model = seeker().replace('os.walk("/")', "()")
    open_file = workplace.root / "train.csv"
    open_file.write_text("Index,Aneurysm\n")
    entry = workplace.submission(
        "seeker", model, trainer={"max_epochs": 1}, hyperparameters={"paths": [str(open_file)]}
    )
    printed = workplace.harness(
        "run", "challenge=kium", "phantom=smoke", "folds=2", "sandbox=off", entry, code=1
    )

    assert "FOUND" in printed
    assert "train.csv" in printed
