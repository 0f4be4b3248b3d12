"""The cohorts as their tables code them: units, event coding and missing codes, declared and checked.

Every source becomes patients of one schema: days, event True = dead, covariates 0 or 1, NaN unknown.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType

from challenges.glioma.columns import COVARIATES, DEVELOPMENT
from challenges.glioma.table import Row, doubled, number, read_rows
from harness.errors import refuse

__all__ = ["SOURCES", "Cohort", "Patient", "Source", "left_out", "read_cohort"]

NAN = math.nan
MONTH = 365.25 / 12
"""Days."""
ALIKE = 0.01
"""Months: TCGA's rows of one patient differ by rounding."""


@dataclass(frozen=True, slots=True)
class Patient:
    """One patient in the common schema."""

    id: str
    time: float
    """Days under observation, above 0; NaN where the source holds no survival."""
    dead: bool
    covariates: tuple[float, ...]
    """In the order of COVARIATES."""
    grade: int
    """WHO grade; 0 where it is unknown."""
    gbm: bool
    """Known to be a glioblastoma and IDH-wildtype, as WHO 2021 has it."""


@dataclass(frozen=True, slots=True)
class Cohort:
    """The patients of a source, and what was left out of its table."""

    patients: tuple[Patient, ...]
    ids: frozenset[str]
    """All that the table holds."""
    said: tuple[str, ...]
    """Sentences for whoever reads the data."""


Codes = Mapping[str, float]
Outcome = tuple[float | None, bool | None]
"""Days and event; None where it is not known."""


@dataclass(frozen=True, slots=True)
class Source:
    """How one table codes its patients. Codes are compared without outer blanks; others are refused."""

    file: str
    id: str
    time: str
    """The column of the follow-up."""
    days: float
    """In one unit of `time`."""
    event: str
    """The column of the event; "" where `alive` in the time's cell tells it."""
    dead: Codes
    """What the event column holds -> 1 dead, 0 alive when last seen."""
    age: str
    codes: Mapping[str, tuple[str, Codes]]
    """Covariate -> column and codes."""
    grade: tuple[str, Codes] = ("", MappingProxyType({}))
    gbm: tuple[str, frozenset[str]] = ("", frozenset())
    """Column of the diagnosis and what means glioblastoma there; IDH must be wildtype too."""
    missing: tuple[str, ...] = ("",)
    delimiter: str = ","
    alive: re.Pattern[str] | None = None
    """A cell of `time` of a patient who was alive then; group 1 is the number."""
    several: bool = False
    """Whether a patient has several rows, which are joined."""
    without: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """Column -> the code whose rows are left out, and what they are."""

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column that is read."""
        coded = [column for column, _ in self.codes.values()]
        found = [self.id, self.time, self.event, self.age, *coded, self.grade[0], self.gbm[0], *self.without]
        return tuple(dict.fromkeys(name for name in found if name))


YES_NO = {"Yes": 1.0, "No": 0.0}
UCSF_IDH = {
    "wildtype": 0.0,
    **dict.fromkeys(
        ("mutated (NOS)", "IDH1 p.R132H", "IDH1 p.Arg132His", "IDH1 p.R132C", "IDH1 p.R132G",
         "IDH1 p.R132S", "IDH2 p.R172K", "IDH2 p.Arg172Trp"), 1.0,
    ),
}  # fmt: skip
UCSF_GRADE = {"2": 2.0, "3": 3.0, "4": 4.0}
ONCOTREE = ("GBM", "ASTR", "AASTR", "ODG", "OAST", "AOAST")
WHO = {"WHO II": 2.0, "WHO III": 3.0, "WHO IV": 4.0}

SOURCES: Mapping[str, Source] = MappingProxyType(
    {
        DEVELOPMENT: Source(
            file="UCSF-PDGM-metadata_v2.csv",
            id="ID",
            time="OS",
            days=1.0,
            event="1-dead 0-alive",
            dead={"1": 1.0, "0": 0.0},
            age="Age at MRI",
            codes={
                "female": ("Sex", {"F": 1.0, "M": 0.0}),
                "grade4": ("WHO CNS Grade", {code: float(code == "4") for code in UCSF_GRADE}),
                "grade3": ("WHO CNS Grade", {code: float(code == "3") for code in UCSF_GRADE}),
                "idh_mutant": ("IDH", UCSF_IDH),
                "codeleted": (
                    "1p/19q",
                    {"intact": 0.0, "co-deletion": 1.0, "Co-deletion": 1.0, "relative co-deletion": 1.0},
                ),
                "mgmt_methylated": (
                    "MGMT status",
                    {"positive": 1.0, "negative": 0.0, "indeterminate": NAN},
                ),
                "gross_total": ("EOR", {"GTR": 1.0, "STR": 0.0, "biopsy": 0.0}),
                "biopsy_only": ("EOR", {"GTR": 0.0, "STR": 0.0, "biopsy": 1.0}),
                "biopsied_before": ("Biopsy prior to imaging", YES_NO),
            },
            grade=("WHO CNS Grade", UCSF_GRADE),
            gbm=("Final pathologic diagnosis (WHO 2021)", frozenset({"Glioblastoma, IDH-wildtype"})),
        ),
        "tcga": Source(
            file="AIMLab_tcga_lgggbm_surv.csv",
            id="case_id",
            time="survival_months",
            days=MONTH,
            event="censorship",
            dead={"0": 1.0, "1": 0.0},  # 1 is censored here
            age="age",
            codes={
                "female": ("is_female", {"1": 1.0, "0": 0.0, "-1": NAN}),
                "grade4": ("oncotree_code", {code: float(code == "GBM") for code in ONCOTREE}),
                "idh_mutant": ("idh", {"IDHMUT": 1.0, "IDHWT": 0.0}),
            },
            # ODG and OAST stand for tumours of both grades.
            grade=(
                "oncotree_code",
                {"GBM": 4.0, "AASTR": 3.0, "AOAST": 3.0, "ASTR": 2.0, "ODG": NAN, "OAST": NAN},
            ),
            gbm=("oncotree_code", frozenset({"GBM"})),
            several=True,
        ),
        "cgga": Source(
            file="CGGA.mRNAseq_693_clinical.20200506.txt",
            id="CGGA_ID",
            time="OS",
            days=1.0,
            event="Censor",
            dead={"1": 1.0, "0": 0.0},  # 1 is dead here, whatever the column is called
            age="Age",
            codes={
                "female": ("Gender", {"Female": 1.0, "Male": 0.0}),
                "grade4": ("Grade", {code: float(code == "WHO IV") for code in WHO}),
                "grade3": ("Grade", {code: float(code == "WHO III") for code in WHO}),
                "idh_mutant": ("IDH_mutation_status", {"Mutant": 1.0, "Wildtype": 0.0}),
                "codeleted": ("1p19q_codeletion_status", {"Codel": 1.0, "Non-codel": 0.0}),
                "mgmt_methylated": (
                    "MGMTp_methylation_status",
                    {"methylated": 1.0, "un-methylated": 0.0},
                ),
            },
            grade=("Grade", WHO),
            gbm=("Histology", frozenset({"GBM"})),
            missing=("NA", ""),
            delimiter="\t",
            without={"PRS_type": ("Recurrent", "a recurrent tumour")},
        ),
        "brats2020": Source(
            file="survival_info.csv",
            id="Brats20ID",
            time="Survival_days",
            days=1.0,
            event="",
            dead={},
            age="Age",
            codes={
                "gross_total": ("Extent_of_Resection", {"GTR": 1.0, "STR": 0.0}),
                "biopsy_only": ("Extent_of_Resection", {"GTR": 0.0, "STR": 0.0}),
            },
            missing=("NA", ""),
            alive=re.compile(r"ALIVE \(([0-9]+) days later\)"),
        ),
    }
)
"""Folder -> how the table in it codes its patients."""


def read_cohort(root: Path, name: str, *, outcome: bool = True) -> Cohort:
    """Read the table in the folder `name` of `root`; without `outcome` the survival is not read.

    Patients without a time or an event are left out and counted in `said`; so are recurrent tumours.
    Where the rows of one TCGA patient give a covariate two values, it is unknown.

    Raises:
        UserError: by file, line and column, a time that is not above 0, an event or a code that is not
            known, a patient given twice, or rows of one patient whose survival differs.
    """
    path = root / name / SOURCES[name].file
    stamp = path.stat().st_mtime_ns if path.is_file() else 0
    return _read(path, name, outcome, stamp)


@lru_cache(maxsize=8)
def _read(path: Path, name: str, outcome: bool, _stamp: int) -> Cohort:
    source = SOURCES[name]
    unread = () if outcome else (source.time, source.event)
    table = read_rows(
        path, [column for column in source.columns if column not in unread], delimiter=source.delimiter
    )
    kept, said = _without(source, table.rows)
    problems = [] if source.several else doubled(table.rows, source.id)
    problems += [problem for row in kept for problem in _row_problems(source, row, outcome)]
    refuse(f"{path} is malformed", problems)
    groups: dict[str, list[Row]] = {}
    for row in kept:
        groups.setdefault(row.cells[source.id], []).append(row)
    refuse(f"{path} contradicts itself", [*_contradictions(source, groups, outcome)])
    patients = [_patient(source, case, rows, outcome) for case, rows in groups.items()]
    unknown = [patient.id for patient in patients if outcome and math.isnan(patient.time)]
    said += left_out(unknown, "survival") + _unclear(source, groups)
    known = [p for p in patients if not (outcome and math.isnan(p.time))]
    ids = frozenset(row.cells[source.id] for row in table.rows)
    return Cohort(tuple(known), ids, tuple(f"{name}: {line}" for line in said))


def _without(source: Source, rows: Sequence[Row]) -> tuple[list[Row], list[str]]:
    kept, said = list(rows), []
    for column, (code, what) in source.without.items():
        left = [row for row in kept if row.cells[column] != code]
        if len(left) < len(kept):
            said.append(f"{len(kept) - len(left)} patients with {what} are left out.")
        kept = left
    return kept, said


def left_out(ids: Sequence[str], what: str) -> list[str]:
    """Return a sentence that counts patients without something, or none."""
    if not ids:
        return []
    shown = ", ".join(ids[:3]) + (f" and {len(ids) - 3} more" if len(ids) > 3 else "")
    plural = "patient is" if len(ids) == 1 else "patients are"
    return [f"{len(ids)} {plural} left out, without {what}: {shown}."]


def _unclear(source: Source, groups: Mapping[str, Sequence[Row]]) -> list[str]:
    """Say which patients have rows of two diagnoses or of two states of IDH."""
    columns = {column for column, _ in source.codes.values()} if source.several else set()
    found = [
        case
        for case, rows in groups.items()
        if any(len(_known_values(source, name, rows)) > 1 for name in source.codes)
    ]
    if not columns or not found:
        return []
    return [f"rows of one patient differ, and what they differ in is unknown: {', '.join(found)}."]


# --------------------------------------------------------------------------------------- what is wrong
def _row_problems(source: Source, row: Row, outcome: bool) -> Iterator[str]:
    where = f"line {row.line}, column"
    if source.several and not row.cells[source.id]:
        yield f"{where} {source.id}: no name"
    coded = [*source.codes.values(), *([source.grade] if source.grade[0] else [])]
    for column, codes in dict((column, codes) for column, codes in coded).items():
        cell = row.cells[column]
        if cell not in codes and cell not in source.missing:
            yield f"{where} {column}: {cell!r} is not one of {', '.join(codes)}"
    age = row.cells[source.age]
    if age not in source.missing and not 0 < (number(age) or 0) < 130:
        yield f"{where} {source.age}: {age!r} is no age in years"
    if outcome:
        yield from _outcome_problems(source, row, where)


def _outcome_problems(source: Source, row: Row, where: str) -> Iterator[str]:
    cell = row.cells[source.time]
    days = _days(source, cell)
    if days is None and cell not in source.missing:
        wanted = "a number" + (" or 'ALIVE (n days later)'" if source.alive else "")
        yield f"{where} {source.time}: {cell!r} is not {wanted}"
    elif days is not None and days <= 0:
        yield f"{where} {source.time}: {cell!r} is not above 0"
    if source.event and row.cells[source.event] not in (*source.dead, *source.missing):
        codes = ", ".join(f"{code} {'dead' if dead else 'censored'}" for code, dead in source.dead.items())
        yield f"{where} {source.event}: {row.cells[source.event]!r} is not known ({codes})"


def _contradictions(source: Source, groups: Mapping[str, Sequence[Row]], outcome: bool) -> Iterator[str]:
    for case, rows in groups.items():
        first = rows[0]
        for row in rows[1:] if outcome else ():
            days, dead = _outcome(source, row)
            known_days, known_dead = _outcome(source, first)
            if abs((days or 0) - (known_days or 0)) > ALIKE * source.days:
                column = source.time
            elif dead != known_dead:
                column = source.event
            else:
                continue
            yield (
                f"line {row.line}, column {column}: {row.cells[column]!r} of {case}, but "
                f"{first.cells[column]!r} in line {first.line}"
            )


# ---------------------------------------------------------------------------------------- what it says
def _days(source: Source, cell: str) -> float | None:
    alive = source.alive.fullmatch(cell) if source.alive else None
    value = number(alive[1] if alive else cell)
    return None if value is None else value * source.days


def _outcome(source: Source, row: Row) -> Outcome:
    cell = row.cells[source.time]
    days = _days(source, cell)
    if source.event:
        code = source.dead.get(row.cells[source.event])
        return days, None if code is None else code == 1
    return days, None if days is None else not (source.alive and source.alive.fullmatch(cell))


def _known_values(source: Source, name: str, rows: Sequence[Row]) -> set[float]:
    """Return the values of a covariate in a patient's rows that are known."""
    column, codes = source.codes[name]
    values = {codes.get(row.cells[column], NAN) for row in rows}
    return {value for value in values if not math.isnan(value)}


def _agreed(values: set[float]) -> float:
    return values.pop() if len(values) == 1 else NAN


def _covariate(source: Source, name: str, rows: Sequence[Row]) -> float:
    if name == "age":
        found = (number(row.cells[source.age]) for row in rows)
        return _agreed({value for value in found if value is not None})
    return _agreed(_known_values(source, name, rows)) if name in source.codes else NAN


def _patient(source: Source, case: str, rows: Sequence[Row], outcome: bool) -> Patient:
    days, dead = _outcome(source, rows[0]) if outcome else (None, None)
    unknown = days is None or dead is None
    values = {name: _covariate(source, name, rows) for name in COVARIATES}
    column, codes = source.grade
    grades = {codes.get(row.cells[column], NAN) for row in rows} if column else {NAN}
    grade = _agreed(grades)
    diagnosis, meant = source.gbm
    gbm = bool(diagnosis) and all(row.cells[diagnosis] in meant for row in rows)
    return Patient(
        id=case,
        time=NAN if unknown or days is None else days,
        dead=bool(dead),
        covariates=tuple(values.values()),
        grade=0 if math.isnan(grade) else int(grade),
        gbm=gbm and values["idh_mutant"] == 0,
    )
