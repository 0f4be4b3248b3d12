"""Phantom patients in the layout of the real cohorts: tables, radiomics and volumes.

The tumour's volume and its necrosis, which the image shows, drive a Weibull hazard together with age, grade
and IDH. `image` is the one knob: how much the image tells beyond the covariates. The quirks of the real
tables are there too: a patient without survival, several slides, unknown sexes, blanks, an ALIVE cell.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from challenges.glioma.cohorts import MONTH, SOURCES
from challenges.glioma.columns import CHANNELS, DEVELOPMENT, RADIOMICS
from challenges.glioma.data import FEATURES
from challenges.glioma.drawing import SITES, draw, nifti
from challenges.glioma.people import KNOBS, Person, features, oracle, sample
from challenges.glioma.volumes import FOLDER, SUFFIX
from harness.errors import UserError, did_you_mean

__all__ = ["VERSION", "write"]

VERSION = "1"
SIZES = {"smoke": (60, 30), "small": (400, 160)}
"""Patients of the development cohort and of each external one."""
IMAGE = 0.55
ORACLE = 2000
"""Monte Carlo sample whose oracle C is stored; standard error about .007."""
COHORTS = (DEVELOPMENT, "tcga", "cgga", "brats2020")

UCSF_HEADER = (
    "ID", "Sex", "Age at MRI", "WHO CNS Grade", "Final pathologic diagnosis (WHO 2021)", "MGMT status",
    "MGMT index", "1p/19q", "IDH", "1-dead 0-alive", "OS", "EOR", "Biopsy prior to imaging", "BraTS21 ID",
    "BraTS21 Segmentation Cohort", "BraTS21 MGMT Cohort",
)  # fmt: skip
TCGA_HEADER = (
    "", "Unnamed:0", "case_id", "slide_id", "site", "is_female", "oncotree_code", "age",
    "survival_months", "censorship", "idh",
)  # fmt: skip
CGGA_HEADER = (
    "CGGA_ID", "PRS_type", "Histology", "Grade", "Gender", "Age", "OS", "Censor",
    "Radio_status (treated=1;un-treated=0)", "Chemo_status (TMZ treated=1;un-treated=0)",
    "IDH_mutation_status", "1p19q_codeletion_status", "MGMTp_methylation_status",
)  # fmt: skip
BRATS_HEADER = ("Brats20ID", "Age", "Survival_days", "Extent_of_Resection")

Cells = Sequence[object]
People = Mapping[str, Person]


def write(root: Path, *, seed: int = 0, size: str = "small", image: float = IMAGE) -> None:
    """Write phantom patients in the real layout, and `phantom.json` with what is true of them.

    Args:
        root: Folder to fill; made if missing.
        seed: Same seed, same bytes; a patient depends on the seed, the cohort and the own number only.
        size: "smoke" (60 + 30 patients) or "small" (400 + 160).
        image: How much the image tells beyond the covariates; 0 nothing, .8 much.

    Raises:
        UserError: for an unknown size, a negative image, or a folder that is not empty.
    """
    if size not in SIZES:
        raise UserError(f"No phantom size named {size!r}. {did_you_mean(size, SIZES)}")
    if not image >= 0:
        raise UserError(f"image must not be below 0 but got {image}.")
    if root.exists() and any(root.iterdir()):
        raise UserError(f"{root} is not empty; phantom patients are written to a new folder only.")
    people = {name: _people(name, seed, SIZES[size], image) for name in COHORTS}
    for name, found in people.items():
        (root / name).mkdir(parents=True)
        _write_table(root, name, found)
    _write_radiomics(root / DEVELOPMENT / FEATURES, people[DEVELOPMENT], seed)
    for name in SITES:
        for number, (case, person) in enumerate(people[name].items()):
            _write_volumes(root / name / FOLDER / case, draw(_rng(seed, name, number, 1), person, name))
    _write_latent(root / "phantom.json", people, {"seed": seed, "size": size, "image": image})


def _people(name: str, seed: int, sizes: tuple[int, int], image: float) -> dict[str, Person]:
    cohort = COHORTS.index(name)
    count = sizes[0] if name == DEVELOPMENT else sizes[1]
    names = {
        DEVELOPMENT: "UCSF-PDGM-{:03d}",
        "tcga": "TCGA-00-{:04d}",
        "cgga": "CGGA_{:d}",
        "brats2020": "BraTS20_Training_{:03d}",
    }
    return {names[name].format(k + 1): sample(seed, cohort, k, image) for k in range(count)}


def _write_volumes(folder: Path, volumes: np.ndarray[tuple[int, ...], np.dtype[np.int16]]) -> None:
    folder.mkdir(parents=True)
    for channel, volume in zip(CHANNELS, volumes, strict=True):
        (folder / f"{channel}{SUFFIX}").write_bytes(nifti(volume))


def _save(path: Path, header: Cells, rows: Sequence[Cells], delimiter: str = ",") -> None:
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=delimiter, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    path.write_text(text.getvalue(), encoding="utf-8", newline="")


def _write_table(root: Path, name: str, people: People) -> None:
    path = root / name / SOURCES[name].file
    if name == DEVELOPMENT:
        _save(path, UCSF_HEADER, [_ucsf(k, case, p) for k, (case, p) in enumerate(people.items())])
    elif name == "tcga":
        slides = [row for k, (case, p) in enumerate(people.items()) for row in _tcga(k, case, p)]
        _save(path, TCGA_HEADER, [[k, k, *row] for k, row in enumerate(slides)])
    elif name == "cgga":
        rows = [_cgga(k, case, p) for k, (case, p) in enumerate(people.items())]
        _save(path, CGGA_HEADER, rows, "\t")
    else:
        _save(path, BRATS_HEADER, [_brats(k, case, p) for k, (case, p) in enumerate(people.items())])


def _diagnosis(person: Person) -> str:
    if person.codeleted:
        return "Oligodendroglioma, IDH-mutant, 1p/19q-codeleted"
    if person.mutant:
        return "Astrocytoma, IDH-mutant"
    return "Glioblastoma, IDH-wildtype" if person.grade == 4 else "Astrocytoma, IDH-wildtype"


def _ucsf(number: int, case: str, person: Person) -> Cells:
    """Return a row of UCSF-PDGM; the tenth patient has no survival."""
    methylated = {None: "", True: "positive", False: "negative"}[person.methylated]
    idh = ("IDH1 p.R132H" if number % 2 else "mutated (NOS)") if person.mutant else "wildtype"
    codeletion = "co-deletion" if person.codeleted else ("" if number % 5 == 0 else "intact")
    return [
        case, "F" if person.female else "M", person.age, person.grade, _diagnosis(person), methylated, "",
        codeletion, idh, int(person.dead), "" if number == 9 else person.days, person.resection,
        "Yes" if person.biopsied_before else "No", "", "", "",
    ]  # fmt: skip


def _tcga(number: int, case: str, person: Person) -> list[Cells]:
    """Return one to three slides of a patient; every third has no sex."""
    code = {2: "ASTR", 3: "AASTR", 4: "GBM"}[person.grade]
    if person.codeleted:
        code = "ODG"
    sex = -1 if number % 3 == 0 else int(person.female)
    rest = [
        sex, code, person.age, round(max(0.03, person.days / MONTH), 2), 1 - int(person.dead),
        "IDHMUT" if person.mutant else "IDHWT",
    ]  # fmt: skip
    return [[case, f"{case}-DX{k + 1}", 0, *rest] for k in range(1 + number % 3)]


def _cgga(number: int, case: str, person: Person) -> Cells:
    """Return a row of CGGA; every tenth is recurrent, some sexes have blanks after them."""
    known = {None: "NA", True: "methylated", False: "un-methylated"}[person.methylated]
    return [
        case, "Recurrent" if number % 10 == 9 else "Primary", {2: "A", 3: "AA", 4: "GBM"}[person.grade],
        {2: "WHO II", 3: "WHO III", 4: "WHO IV"}[person.grade],
        ("Female" if person.female else "Male") + " " * (number % 7 == 0), person.age,
        "NA" if number == 4 else person.days, int(person.dead), 1, 1,
        "Mutant" if person.mutant else "Wildtype",
        "Codel" if person.codeleted else "Non-codel", known,
    ]  # fmt: skip


def _brats(number: int, case: str, person: Person) -> Cells:
    days = str(person.days) if person.dead else f"ALIVE ({person.days} days later)"
    resection = "NA" if number % 2 or person.resection == "biopsy" else person.resection
    return [case, f"{person.age + 0.463:.3f}", days, resection]


def _rng(seed: int, name: str, number: int, use: int) -> np.random.Generator:
    """Return a patient's own randomness for one use: 1 the volumes, 2 the radiomics."""
    return np.random.default_rng(np.random.SeedSequence([seed, COHORTS.index(name), number, use]))


def _write_radiomics(path: Path, people: People, seed: int) -> None:
    rows = [
        [case, f"{case}_T1gad_bias.nii.gz", "wt.nii", *features(_rng(seed, DEVELOPMENT, number, 2), person)]
        for number, (case, person) in enumerate(people.items())
    ]
    _save(path, ("ID", "Image", "Mask", *RADIOMICS), rows)


# ----------------------------------------------------------------------- what no model may see
def _write_latent(path: Path, people: Mapping[str, People], knobs: Mapping[str, object]) -> None:
    """Write the knobs, the oracle's scores and each patient's truth."""
    seed, image = int(str(knobs["seed"])), float(str(knobs["image"]))
    crowd = [sample(seed, len(COHORTS), number, image) for number in range(ORACLE)]
    latent = {
        "challenge": "glioma",
        "version": VERSION,
        **knobs,
        "knobs": KNOBS,
        "oracle": oracle(crowd),
        "oracle_of": {name: oracle(list(found.values())) for name, found in people.items()},
        "cases": {
            case: {
                "days": person.days,
                "dead": person.dead,
                "clinical": round(person.clinical, 5),
                "image": round(person.seen, 5),
                "log_volume": round(person.log_volume, 5),
                "necrosis": round(person.necrosis, 5),
            }
            for found in people.values()
            for case, person in found.items()
        },
    }
    path.write_text(json.dumps(latent, indent=1) + "\n", encoding="utf-8")
