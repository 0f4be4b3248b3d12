"""Read the glioma cohorts as they are distributed: tables, radiomics and volumes.

ucsf_pdgm/UCSF-PDGM-metadata_v2.csv                development set
ucsf_pdgm/radiomic_features_T1gad_bias.csv         with external=none
tcga/AIMLab_tcga_lgggbm_surv.csv                   external=tcga, the test set; cgga/ and brats2020/ alike
{cohort}/resized_BraTS/{ID}/{t1,t2,t1ce,flair}_resized.nii.gz   volumes, optional
"""

from __future__ import annotations

import hashlib
import os
from collections import defaultdict
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from challenges.glioma.cohorts import SOURCES, Cohort, Patient, left_out, read_cohort
from challenges.glioma.columns import COVARIATES, DEVELOPMENT, RADIOMICS, SHARED, UNKNOWN
from challenges.glioma.table import doubled, number, read_rows
from challenges.glioma.truth import outcome_of, read_truth
from challenges.glioma.volumes import SUFFIX, find_volumes, image_of, shape_of
from harness.contracts import Case, CaseSet, Dataset
from harness.errors import UserError, did_you_mean, refuse
from harness.progress import say

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.contracts import Array, Arrays

__all__ = ["PREPARATION", "decode", "read", "strata"]

PREPARATION = "1"
FEATURES = "radiomic_features_T1gad_bias.csv"
NONE = "none"
DEFAULT: Mapping[str, str] = MappingProxyType({"endpoint": "os", "cohort": "all", "external": "tcga"})
KNOWN: Mapping[str, tuple[str, ...]] = {
    "endpoint": ("os", "1yr"),
    "cohort": ("all", "gbm"),
    "external": ("tcga", NONE, *sorted(set(SOURCES) - {DEVELOPMENT, "tcga"})),
}
OPTIONS = ("shape", "covariates")
TERTILES = (1 / 3, 2 / 3)


def read(root: Path, truth: Path | None = None, options: Mapping[str, str] = DEFAULT) -> Dataset:
    """Read the development cohort and, unless external=none, the external one.

    Truth: `time` (n,) days above 0, `event` (n,) 1 = dead, and for the subgroups `grade` (0 unknown),
    `idh` and `sex` (1 mutant, female; 2 unknown), `age` (NaN unknown), `gbm` (1: glioblastoma,
    IDH-wildtype). With endpoint=1yr, follow-up ends after 365 days. Patients without survival, recurrent
    tumours, and, where every cohort has volumes, patients without them, are left out and counted aloud.

    Raises:
        UserError: by file, line and column, for everything wrong with the tables; a patient in both
            cohorts; volumes or radiomics that two patients share.
    """
    chosen = _checked({**DEFAULT, **options})
    external = None if chosen["external"] == NONE else chosen["external"]
    names = [DEVELOPMENT, *([external] if external else [])]
    if truth is not None and external is None:
        raise UserError(f"external=none has no test set. Leave truth={truth} out, or name another cohort.")
    sealed = external is not None and _sealed(root, external)
    cohorts = {name: read_cohort(root, name, outcome=not (sealed and name == external)) for name in names}
    volumes = {name: find_volumes(root, name) for name in names}
    imaged = all(volumes.values())
    cases: dict[str, list[Patient]] = {}
    for name, cohort in cohorts.items():
        cases[name] = _chosen(name, cohort, chosen["cohort"], volumes[name] if imaged else None)
    _refuse_shared_patients(cases)
    features = external is None and (root / DEVELOPMENT / FEATURES).is_file()
    sets = [
        CaseSet(_cases(root, name, cases[name], volumes[name] if imaged else {}, features=features), None)
        for name in names
    ]
    _refuse_shared_contents(sets)
    return _with_truth(sets, cases, chosen, truth, sealed=sealed)


def _checked(options: Mapping[str, str]) -> Mapping[str, str]:
    for name, value in options.items():
        if value not in KNOWN[name]:
            raise UserError(f"No {name} named {value!r}. {did_you_mean(value, KNOWN[name])}")
    return options


def _sealed(root: Path, external: str) -> bool:
    """Return whether the organiser keeps the external cohort's survival: its table lacks the columns."""
    source = SOURCES[external]
    header = read_rows(root / external / source.file, [source.id], delimiter=source.delimiter).header
    return not {source.time, source.event} & set(header)


def _chosen(
    name: str, cohort: Cohort, which: str, volumes: Mapping[str, tuple[Path, ...]] | None
) -> list[Patient]:
    """Return the patients that are cases, in an order that tells nothing; say who is left out."""
    without = [] if volumes is None else [p.id for p in cohort.patients if p.id not in volumes]
    strange = sorted(set(volumes or {}) - cohort.ids)
    own = [f"{name}: {line}" for line in left_out(without, "volumes")]
    for line in (*cohort.said, *own):
        say(line)
    if strange:
        say(f"{name}: folders of volumes without a row in the table: {len(strange)}, such as {strange[0]}.")
    kept = [p for p in cohort.patients if volumes is None or p.id in volumes]
    kept = [patient for patient in kept if which == "all" or patient.gbm]
    if not kept:
        raise UserError(f"{name} has no patient for cohort={which}. Choose another external= or cohort=.")
    return sorted(kept, key=lambda patient: hashlib.sha256(patient.id.encode()).digest())


def _with_truth(
    sets: Sequence[CaseSet],
    cases: Mapping[str, Sequence[Patient]],
    chosen: Mapping[str, str],
    truth: Path | None,
    *,
    sealed: bool,
) -> Dataset:
    endpoint = chosen["endpoint"]
    halves = list(cases.values())
    development = CaseSet(sets[0].cases, _truth(halves[0], endpoint))
    if len(sets) == 1:
        return Dataset(development, CaseSet((), None))
    if not sealed:
        if truth is not None:
            raise UserError(f"The table of {chosen['external']} tells the survival. Leave truth={truth} out.")
        return Dataset(development, CaseSet(sets[1].cases, _truth(halves[1], endpoint)))
    answers = None if truth is None else read_truth(truth, sets[1].ids, endpoint)
    joined = None if answers is None else {**answers, **_groups(halves[1])}
    return Dataset(development, CaseSet(sets[1].cases, joined))


def _truth(patients: Sequence[Patient], endpoint: str) -> Arrays:
    outcome = outcome_of([p.time for p in patients], [p.dead for p in patients], endpoint)
    return {**outcome, **_groups(patients)}


def _groups(patients: Sequence[Patient]) -> dict[str, Array]:
    """Return the columns by which the score is shown in subgroups."""
    table = np.array([patient.covariates for patient in patients], dtype=np.float64)
    of = dict(zip(COVARIATES, table.T, strict=True))

    def coded(name: str) -> Array:
        return np.where(np.isnan(of[name]), UNKNOWN, of[name]).astype(np.uint8)

    return {
        "grade": np.array([patient.grade for patient in patients], dtype=np.uint8),
        "idh": coded("idh_mutant"),
        "sex": coded("female"),
        "age": of["age"],
        "gbm": np.array([patient.gbm for patient in patients], dtype=np.uint8),
    }


# ---------------------------------------------------------------------------------------------- cases
def _cases(
    root: Path,
    name: str,
    patients: Sequence[Patient],
    volumes: Mapping[str, tuple[Path, ...]],
    *,
    features: bool,
) -> tuple[Case, ...]:
    """Return the cases; the digest is of the patient's id, covariates, radiomics and volumes."""
    table = root / name / SOURCES[name].file
    measured = _radiomics(root / name / FEATURES) if features else None
    if measured is not None:
        missing = [f"{p.id} has no row" for p in patients if p.id not in measured]
        refuse(f"{root / name / FEATURES} does not fit {table.name}", missing)
    files = {p.id: volumes.get(p.id, ()) for p in patients}
    hashes = _hashes([path for paths in files.values() for path in paths])
    found = []
    for patient in patients:
        parts = [patient.id, repr(patient.covariates), *(hashes[path] for path in files[patient.id])]
        parts += [measured[patient.id].tobytes().hex()] if measured is not None else []
        digest = hashlib.sha256("\0".join(parts).encode()).hexdigest()
        paths = (table, *([root / name / FEATURES] if features else []), *files[patient.id])
        found.append(Case(patient.id, patient.id, paths, digest))
    return tuple(found)


@lru_cache(maxsize=4096)
def _hash(path: Path, _stamp: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _hashes(paths: Sequence[Path]) -> dict[Path, str]:
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        found = pool.map(lambda path: _hash(path, path.stat().st_mtime_ns), paths)
        return dict(zip(paths, found, strict=True))


def _refuse_shared_patients(cases: Mapping[str, Sequence[Patient]]) -> None:
    homes: dict[str, list[str]] = defaultdict(list)
    for name, patients in cases.items():
        for patient in patients:
            homes[patient.id].append(name)
    problems = [f"{case} is in {' and '.join(names)}" for case, names in homes.items() if len(names) > 1]
    refuse("A patient is in two cohorts", problems)


def _refuse_shared_contents(sets: Sequence[CaseSet]) -> None:
    """Refuse volumes and radiomics that belong to two patients: one of them is not who he is said to be."""
    owners: dict[str, list[str]] = defaultdict(list)
    for half in sets:
        for case in half.cases:
            for path in case.files:
                if path.name.endswith(SUFFIX):
                    owners[_hash(path, path.stat().st_mtime_ns)].append(f"{case.id}/{path.name}")
                elif path.name == FEATURES:
                    owners[_radiomics(path)[case.id].tobytes().hex()].append(f"{case.id} in {FEATURES}")
    problems = [" and ".join(names) for names in owners.values() if len(names) > 1]
    refuse("Two patients have the same image", problems)


def _radiomics(path: Path) -> Mapping[str, NDArray[np.float32]]:
    return _read_radiomics(path, path.stat().st_mtime_ns)


@lru_cache(maxsize=4)
def _read_radiomics(path: Path, _stamp: int) -> Mapping[str, NDArray[np.float32]]:
    """Return the features of each patient, (100,).

    Raises:
        UserError: a column missing, a patient twice, a value that is no number; by line and column.
    """
    rows = read_rows(path, ["ID", *RADIOMICS]).rows
    problems = doubled(rows, "ID")
    problems += [
        f"line {row.line}, column {name}: {row.cells[name]!r} is not a number"
        for row in rows
        for name in RADIOMICS
        if number(row.cells[name]) is None
    ]
    refuse(f"{path} is malformed", problems)
    return {
        row.cells["ID"]: np.array([float(row.cells[name]) for name in RADIOMICS], dtype=np.float32)
        for row in rows
    }


# --------------------------------------------------------------------------------------------- decode
def decode(case: Case, options: Mapping[str, Any]) -> dict[str, Array]:
    """Decode one patient: `covariates`, and `radiomics` and `image` where the data has them.

    covariates float32 (C,), the first C of COVARIATES by the option `covariates`, NaN unknown; radiomics
    float32 (100,); image int16 (4, *shape) as `volumes.image_of` says, by the option `shape`.

    Raises:
        UserError: an unknown option, a table that has changed since it was read, a damaged volume.
    """
    if unknown := sorted(set(options) - set(OPTIONS)):
        raise UserError(f"No preparation option {unknown[0]!r}. {did_you_mean(unknown[0], OPTIONS)}")
    table = case.files[0]
    name = next(name for name, source in SOURCES.items() if source.file == table.name)
    columns = _columns(options)
    patient = _row_of(table, name).get(case.id)
    if patient is None:
        raise UserError(f"{table} has changed since it was read. Type the same again.")
    found: dict[str, Array] = {"covariates": np.array(patient[:columns], dtype=np.float32)}
    volumes = [path for path in case.files if path.name.endswith(SUFFIX)]
    for path in case.files:
        if path.name == FEATURES:
            found["radiomics"] = _radiomics(path)[case.id]
    if volumes:
        found["image"] = image_of(volumes, shape_of(options))
    return found


def _columns(options: Mapping[str, Any]) -> int:
    count = options.get("covariates", SHARED)
    if type(count) is not int or not 1 <= count <= len(COVARIATES):
        raise UserError(
            f"preparation.covariates must be a number from 1 to {len(COVARIATES)}, not {count!r}."
        )
    return count


def _row_of(table: Path, name: str) -> Mapping[str, tuple[float, ...]]:
    return _covariates(table, name, table.stat().st_mtime_ns)


@lru_cache(maxsize=8)
def _covariates(table: Path, name: str, _stamp: int) -> Mapping[str, tuple[float, ...]]:
    cohort = read_cohort(table.parent.parent, name, outcome=False)
    return {patient.id: patient.covariates for patient in cohort.patients}


# --------------------------------------------------------------------------------------------- strata
def strata(truth: Arrays) -> NDArray[np.bool_]:
    """Return death, the tertile of the time (3 columns) and, where some are, IDH-wildtype GBM, (n, 5)."""
    time = truth["time"]
    third = np.searchsorted(np.quantile(time, TERTILES), time) if len(time) else np.zeros(0)
    parts = [truth["event"] == 1, *(third == k for k in range(3)), truth["gbm"] == 1]
    return np.column_stack(parts).astype(np.bool_)
