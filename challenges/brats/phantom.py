"""Phantom brains: four modalities and label maps, written as 2020 and as 2023 distribute them.

2020/MICCAI_BraTS2020_TrainingData/BraTS20_Training_001/BraTS20_Training_001_{flair,t1,t1ce,t2,seg}.nii.gz
2020/MICCAI_BraTS2020_ValidationData/...     with the sealed label maps of the test set
2023/ASNR-MICCAI-BraTS2023-GLI-Challenge-{Training,Validation}Data/BraTS-GLI-00002-000/...-t1n.nii.gz

Both hold the same brains; 2023/ serves edition 2026 too. `contrast` is the one knob: how far the tumour
stands out. At .5 a model of single voxels (quadratic discriminant analysis) has a whole-tumour Dice of .63,
the same one on blurred images .86.
"""

from __future__ import annotations

import csv
import gzip
import json
import os
import shutil
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from challenges.brats.brains import Subject, sample
from challenges.brats.drawing import draw
from challenges.brats.labels import NAMES, to_file
from challenges.brats.names import NAMINGS
from harness.errors import UserError, did_you_mean

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["DEFECTS", "VERSION", "defect", "write"]

VERSION = "1"
CONTRAST = 0.5


@dataclass(frozen=True, slots=True)
class Size:
    """How many cases on which grid."""

    shape: tuple[int, int, int]
    spacing: float
    """mm; the brain has the size of a real one."""
    development: int
    test: int


SIZES = {"smoke": Size((48, 48, 40), 4.0, 8, 4), "small": Size((56, 56, 48), 3.5, 20, 10)}
SHARES = {"enhancing": 0.85, "foci": 0.3, "satellites": 0.4}
"""Of the cases of a half: with ET, with a second tumour, with small lesions beside the first."""
TWICE = 8
"""One patient of so many development cases has two of them, at two time points."""
FOLDERS = {
    "2020": "MICCAI_BraTS2020_{}Data",
    "2023": "ASNR-MICCAI-BraTS2023-GLI-Challenge-{}Data",
}
HALVES = ("Training", "Validation")
QUICK = 1
"""Level of gzip: noise does not shrink any further at a higher one."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One case to be written."""

    subject: Subject
    half: str
    ids: dict[str, str]
    """Edition -> case id."""


def write(root: Path, *, seed: int = 0, size: str = "small", contrast: float = CONTRAST) -> None:
    """Write 2020/ and 2023/ with the same brains, test truth and side tables included, and `phantom.json`.

    Args:
        root: Folder to fill; made if missing.
        seed: Same seed, same bytes.
        size: "smoke" (8 + 4 cases of 48 x 48 x 40 voxels) or "small" (20 + 10 of 56 x 56 x 48).
        contrast: 0.5 suits a small network on two cores; at 1 the tumour stands out as in real images.

    Raises:
        UserError: for an unknown size, a contrast that is not positive, or a folder that is not empty.
    """
    if size not in SIZES:
        raise UserError(f"No phantom size named {size!r}. {did_you_mean(size, SIZES)}")
    if not contrast > 0:
        raise UserError(f"contrast must be above 0 but got {contrast}.")
    if root.exists() and any(root.iterdir()):
        raise UserError(f"{root} is not empty; phantom patients are written to a new folder only.")
    entries = _entries(seed, SIZES[size])
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        voxels = list(pool.map(lambda entry: _write_case(root, entry, SIZES[size], contrast), entries))
    _write_tables(root / "2020", [entry for entry in entries if entry.half == HALVES[0]], seed)
    _write_validation_tables(root / "2020", [entry for entry in entries if entry.half == HALVES[1]], seed)
    _write_latent(root / "phantom.json", {"seed": seed, "size": size, "contrast": contrast}, entries, voxels)


# ------------------------------------------------------------------------------------------- cohort
def _entries(seed: int, size: Size) -> list[Entry]:
    """Return the cases of both halves, in an order that has nothing to do with what they hold."""
    rng = np.random.default_rng(np.random.SeedSequence([seed, 0]))
    twice = size.development // TWICE
    halves = [
        _subjects(rng, seed, 1, size.development, twice),
        _subjects(rng, seed, size.development + 1, size.test, 0),
    ]
    patients = sorted({subject.patient for half in halves for subject in half})
    numbers = rng.permutation(np.cumsum(rng.integers(1, 4, len(patients)))).tolist()
    number_of = dict(zip(patients, numbers, strict=True))
    return [
        Entry(subject, name, _ids(subject, name, k + 1, number_of[subject.patient]))
        for name, half in zip(HALVES, halves, strict=True)
        for k, subject in enumerate(half)
    ]


def _ids(subject: Subject, half: str, position: int, number: int) -> dict[str, str]:
    return {
        "2020": f"BraTS20_{half}_{position:03}",
        "2023": f"BraTS-GLI-{number:05}-{subject.time:03}",
    }


def _subjects(rng: np.random.Generator, seed: int, first: int, n: int, twice: int) -> list[Subject]:
    """Return n shuffled cases of n - twice patients, with the shares of SHARES; at least one of each kind."""
    patients = n - twice
    kinds = {name: _some(rng, patients, share) for name, share in SHARES.items()}
    found = []
    for k in range(patients):
        for time in range(2 if k < twice else 1):
            satellites = 2 * int(kinds["satellites"][k])
            enhancing, foci = bool(kinds["enhancing"][k]), int(kinds["foci"][k])
            found.append(
                sample(seed, first + k, enhancing=enhancing, foci=foci, satellites=satellites, time=time)
            )
    return [found[k] for k in rng.permutation(n)]


def _some(rng: np.random.Generator, n: int, share: float) -> NDArray[np.bool_]:
    """Return which of n have something: the share of them, but at least one has and one has not."""
    chosen = np.arange(n) < min(max(1, round(share * n)), n - 1)
    return np.asarray(rng.permutation(chosen))


# -------------------------------------------------------------------------------------------- images
def _write_case(root: Path, entry: Entry, size: Size, contrast: float) -> list[int]:
    """Write one case in both layouts and return how many voxels each label has."""
    images, labels = draw(entry.subject, size.shape, contrast)
    packed = [_nifti(image, size) for image in images]
    for edition, words in zip(FOLDERS, NAMINGS, strict=True):
        case = entry.ids[edition]
        folder = root / edition / FOLDERS[edition].format(entry.half) / case
        folder.mkdir(parents=True)
        join = "_" if edition == "2020" else "-"
        for word, content in zip(
            (*words, "seg"), [*packed, _nifti(to_file(labels, edition), size)], strict=True
        ):
            (folder / f"{case}{join}{word}.nii.gz").write_bytes(content)
    return [int(n) for n in np.bincount(labels.ravel(), minlength=len(NAMES))]


def _nifti(voxels: NDArray[Any], size: Size) -> bytes:
    """Return a .nii.gz file with the real affine, its voxels as many times larger as these are."""
    import nibabel

    affine = np.diag([-size.spacing, -size.spacing, size.spacing, 1.0])
    affine[1, 3] = (size.shape[1] - 1) * size.spacing
    image: Any = nibabel.nifti1.Nifti1Image(voxels, affine)  # type: ignore[no-untyped-call]  # nibabel's
    image.set_sform(affine, code=1)
    image.set_qform(affine, code=1)
    return gzip.compress(image.to_bytes(), QUICK, mtime=0)


# -------------------------------------------------------------------------------------------- tables
def _write_tables(base: Path, entries: Sequence[Entry], seed: int) -> None:
    """Write what lies beside the real training cases; ids of one patient are joined by name_mapping.csv."""
    rng = np.random.default_rng(np.random.SeedSequence([seed, 1]))
    rows = [["HGG" if entry.subject.grade > 2 else "LGG", *_older_ids(entry)] for entry in entries]
    folder = base / FOLDERS["2020"].format(HALVES[0])
    _write_csv(folder / "name_mapping.csv", ["Grade", *OLDER, "BraTS_2020_subject_ID"], rows)
    high = [entry for entry in entries if entry.subject.grade > 2]
    survival = [
        [entry.ids["2020"], f"{rng.uniform(19, 86):.3f}", str(rng.integers(5, 1768)), rng.choice(RESECTION)]
        for entry in high
    ]
    survival[-1][2] = "ALIVE (361 days later)"  # as one real row has it
    header = ["Brats20ID", "Age", "Survival_days", "Extent_of_Resection"]
    _write_csv(folder / "survival_info.csv", header, survival)


OLDER = ("BraTS_2017_subject_ID", "BraTS_2018_subject_ID", "TCGA_TCIA_subject_ID", "BraTS_2019_subject_ID")
RESECTION = ("GTR", "STR", "NA")


def _older_ids(entry: Entry) -> list[str]:
    """Return the ids by which older editions knew a case: half are of the TCGA and were there in 2017."""
    patient = entry.subject.patient
    known = patient % 2 == 0 or entry.subject.time > 0 or patient <= 2
    of_tcga = f"TCGA-00-{patient:04}" if known else "NA"
    older = [f"Brats{year}_TCIA_{patient:03}_1" if known else "NA" for year in (17, 18)]
    return [*older, of_tcga, f"BraTS19_CBICA_{patient:03}_1", entry.ids["2020"]]


def _write_validation_tables(base: Path, entries: Sequence[Entry], seed: int) -> None:
    rng = np.random.default_rng(np.random.SeedSequence([seed, 2]))
    folder = base / FOLDERS["2020"].format(HALVES[1])
    names = [_older_ids(entry) for entry in entries]
    _write_csv(folder / "name_mapping_validation_data.csv", [*OLDER, "BraTS_2020_subject_ID"], names)
    rows = [[e.ids["2020"], f"{rng.uniform(19, 86):.3f}", "GTR"] for e in entries if e.subject.grade > 2]
    _write_csv(folder / "survival_evaluation.csv", ["BraTS20ID", "Age", "ResectionStatus"], rows)


def _write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerows([header, *rows])


def _write_latent(
    path: Path, knobs: dict[str, Any], entries: Sequence[Entry], voxels: Sequence[list[int]]
) -> None:
    """Write what no model may see: the knobs, what was drawn, and how many voxels each label has."""
    cases = [
        {
            "ids": entry.ids,
            "half": entry.half,
            **asdict(entry.subject),
            "voxels": dict(zip(NAMES, n, strict=True)),
        }
        for entry, n in zip(entries, voxels, strict=True)
    ]
    facts = {"challenge": "brats", "version": VERSION, **knobs, "cases": cases}
    path.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")


# ------------------------------------------------------------------------------------- the defects
def _training(root: Path, part: str) -> list[Path]:
    """Return the files of one part of the training cases of 2020, sorted."""
    return sorted((root / "2020").glob(f"*TrainingData/*/*_{part}.nii.gz"))


def _missing_modality(root: Path) -> Path:
    """Lose the T2 image of a case."""
    path = _training(root, "t2")[0]
    path.unlink()
    return path


def _doubled_modality(root: Path) -> Path:
    """Keep the unpacked copy of an image beside it."""
    path = _training(root, "t1")[0]
    path.with_suffix("").write_bytes(gzip.decompress(path.read_bytes()))
    return path


def _cut(root: Path, part: str) -> Path:
    path = _training(root, part)[0]
    path.write_bytes(path.read_bytes()[:-1000])
    return path


def _other_header(root: Path) -> Path:
    """Say that the voxels of one image lie the other way round."""
    path = _training(root, "t1ce")[0]
    return _changed(path, 280, np.array([4, 0, 0, 0], dtype="<f4").tobytes())


def _changed(path: Path, offset: int, content: bytes) -> Path:
    whole = bytearray(gzip.decompress(path.read_bytes()))
    whole[offset : offset + len(content)] = content
    path.write_bytes(gzip.compress(bytes(whole), QUICK, mtime=0))
    return path


def _foreign_label(root: Path) -> Path:
    """Write a label of 2023 into a file of 2020."""
    return _changed(_training(root, "seg")[0], 352, b"\x03")


def _lost_labels(root: Path) -> Path:
    """Lose the label map of a training case."""
    path = _training(root, "seg")[0]
    path.unlink()
    return path


def _twice(root: Path) -> Path:
    """Copy a training case into the validation set."""
    folder = _training(root, "seg")[0].parent
    copy = root / "2020" / FOLDERS["2020"].format(HALVES[1]) / folder.name
    shutil.copytree(folder, copy)
    return copy


def _case_355(root: Path) -> Path:
    """Name a case as the one whose label map has a name of its own in the public set."""
    folder = _training(root, "seg")[0].parent
    odd = folder.rename(folder.with_name("BraTS20_Training_355"))
    for path in odd.iterdir():
        path.rename(odd / path.name.replace(folder.name, odd.name))
    labels = odd / f"{odd.name}_seg.nii.gz"
    return labels.rename(odd / "W39_1998.09.19_Segm.nii.gz")


def _stray_file(root: Path) -> Path:
    """Leave what a file manager leaves behind."""
    path = _training(root, "t1")[0].parent / ".DS_Store"
    path.write_bytes(b"\x00\x00\x00\x01Bud1")
    return path


DEFECTS: dict[str, Callable[[Path], Path]] = {
    "missing_modality": _missing_modality,
    "doubled_modality": _doubled_modality,
    "cut_image": lambda root: _cut(root, "flair"),
    "cut_labels": lambda root: _cut(root, "seg"),
    "other_header": _other_header,
    "foreign_label": _foreign_label,
    "lost_labels": _lost_labels,
    "twice": _twice,
    "case_355": _case_355,
    "stray_file": _stray_file,
}


def defect(root: Path, name: str) -> Path:
    """Put one defect of real data into the written patients of 2020; return the file or folder it is in."""
    return DEFECTS[name](root)
