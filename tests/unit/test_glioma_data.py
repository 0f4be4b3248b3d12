"""The glioma cohorts: the real files as they are, and broken copies."""

from __future__ import annotations

import csv
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from challenges.glioma import data
from challenges.glioma.cohorts import MONTH, SOURCES, read_cohort
from challenges.glioma.columns import COVARIATES, DEVELOPMENT, RADIOMICS
from harness.contracts import Dataset
from harness.errors import UserError
from harness.folds import audit, make_folds
from harness.prepare import digests_of
from tests.real import real_data

UCSF, TCGA = SOURCES[DEVELOPMENT].file, SOURCES["tcga"].file


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The real tables, to be broken."""
    return Path(shutil.copytree(real_data("glioma"), tmp_path / "glioma"))


def read(root: Path, **options: str) -> Dataset:
    """Read with some options."""
    return data.read(root, None, options)


def change(path: Path, line: int, column: str, value: str, delimiter: str = ",") -> None:
    """Write a cell, by the line of the file."""
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file, delimiter=delimiter))
    rows[line - 1][rows[0].index(column)] = value
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, delimiter=delimiter).writerows(rows)


# ---------------------------------------------------------------------------------------- as they are
def test_the_development_set_is_pandas_reading_of_the_file(capsys: pytest.CaptureFixture[str]) -> None:
    """Time, event and covariates of 500 patients; the one without survival is left out and said."""
    table = pd.read_csv(real_data("glioma") / DEVELOPMENT / UCSF).dropna(subset=["OS"]).set_index("ID")
    found = read(real_data("glioma"), external="none")
    truth = dict(found.development.truth or {})
    rows = table.loc[list(found.development.ids)]

    assert len(found.development.cases) == 500
    assert "1 patient is left out, without survival: UCSF-PDGM-169." in capsys.readouterr().out
    assert truth["time"].tolist() == rows["OS"].tolist()
    assert truth["event"].tolist() == rows["1-dead 0-alive"].tolist()
    assert truth["grade"].tolist() == rows["WHO CNS Grade"].tolist()
    assert truth["sex"].tolist() == (rows["Sex"] == "F").astype(int).tolist()
    assert truth["idh"].tolist() == (rows["IDH"] != "wildtype").astype(int).tolist()
    assert truth["gbm"].sum() == 373
    covariates = np.stack([data.decode(c, {"covariates": 10})["covariates"] for c in found.development.cases])
    of = dict(zip(COVARIATES, covariates.T, strict=True))
    assert of["age"].tolist() == rows["Age at MRI"].tolist()
    assert (
        np.isnan(of["mgmt_methylated"]).sum() == (~rows["MGMT status"].isin(["positive", "negative"])).sum()
    )
    assert of["gross_total"].tolist() == (rows["EOR"] == "GTR").astype(float).tolist()
    assert np.nansum(of["codeleted"]) == rows["1p/19q"].str.lower().str.endswith("co-deletion").sum()
    assert len(found.test.cases) == 0
    assert found.test.truth is None


def test_radiomics_are_those_of_the_patient() -> None:
    """100 features, joined by ID; only without a test cohort."""
    folder = real_data("glioma")
    table = pd.read_csv(folder / DEVELOPMENT / data.FEATURES).set_index("ID")
    found = read(folder, external="none")
    for case in found.development.cases[::50]:
        features = data.decode(case, {})["radiomics"]
        assert features == pytest.approx(table.loc[case.id, list(RADIOMICS)].to_numpy(np.float32))
    assert "radiomics" not in data.decode(read(folder).development.cases[0], {})


def test_slides_of_tcga_are_joined(capsys: pytest.CaptureFixture[str]) -> None:
    """864 patients of 1,683 slides; 0 is dead; months become days; what slides differ in is unknown."""
    folder = real_data("glioma")
    slides = pd.read_csv(folder / "tcga" / TCGA)
    found = read(folder).test
    truth = dict(found.truth or {})
    first = slides.drop_duplicates("case_id").set_index("case_id").loc[list(found.ids)]

    assert len(found.cases) == 864
    assert truth["time"] == pytest.approx(first["survival_months"].to_numpy() * MONTH)
    assert truth["event"].tolist() == (1 - first["censorship"]).tolist()
    sexes = slides[slides["is_female"] >= 0].groupby("case_id")["is_female"].first()
    expected = [int(sexes.get(case, 2)) for case in found.ids]
    assert truth["sex"].tolist() == expected
    assert truth["idh"][found.ids.index("TCGA-HT-A61A")] == 2
    assert truth["grade"][found.ids.index("TCGA-HT-8558")] == 0
    assert truth["gbm"].sum() == 370
    assert "TCGA-CS-6669, TCGA-HT-8558, TCGA-HT-A61A" in capsys.readouterr().out


def test_cgga_and_brats_have_codes_of_their_own(capsys: pytest.CaptureFixture[str]) -> None:
    """1 is dead in CGGA; blanks after words; recurrent tumours are left out; ALIVE is censored."""
    folder = real_data("glioma")
    table = pd.read_csv(folder / "cgga" / SOURCES["cgga"].file, sep="\t")
    primary = table[(table["PRS_type"] == "Primary")].dropna(subset=["OS", "Censor"]).set_index("CGGA_ID")
    found = read(folder, external="cgga").test
    truth = dict(found.truth or {})
    rows = primary.loc[list(found.ids)]

    assert len(found.cases) == len(primary) == 404
    assert truth["event"].tolist() == rows["Censor"].tolist()
    assert truth["sex"].tolist() == (rows["Gender"].str.strip() == "Female").astype(int).tolist()
    assert "271 patients with a recurrent tumour are left out" in capsys.readouterr().out
    brats = read(folder, external="brats2020").test
    outcome = dict(brats.truth or {})
    alive = brats.ids.index("BraTS20_Training_084")
    assert (outcome["time"][alive], outcome["event"][alive], outcome["event"].sum()) == (361, 0, 235)


def test_one_year_is_administrative_censoring() -> None:
    """Deaths after 365 days are not seen, who lived on is censored just after; nobody else changes."""
    full, seen = (dict(read(real_data("glioma"), endpoint=e).development.truth or {}) for e in ("os", "1yr"))
    late = full["time"] > 365

    assert (seen["event"] == (full["event"] & ~late)).all()
    assert (seen["time"][~late] == full["time"][~late]).all()
    assert (seen["time"][late] == np.nextafter(365.0, np.inf)).all()


def test_glioblastomas_are_wildtype_and_diagnosed_so() -> None:
    """On both sides."""
    found = read(real_data("glioma"), cohort="gbm")
    for half in (found.development, found.test):
        truth = dict(half.truth or {})
        assert set(truth["idh"]) == {0}
        assert set(truth["grade"]) == {4}
    with pytest.raises(UserError, match="brats2020 has no patient for cohort=gbm"):
        read(real_data("glioma"), cohort="gbm", external="brats2020")


def test_nothing_leaks_and_folds_balance_deaths() -> None:
    """The order tells nothing; each fold has its share of deaths and of early ones."""
    found = read(real_data("glioma"))
    truth = dict(found.development.truth or {})
    folds = make_folds(found.development.cases, data.strata(truth), 10, seed=0)
    audit(found, folds, digests_of(found))

    deaths = [truth["event"][fold.heldout].mean() for fold in folds]
    assert max(deaths) - min(deaths) < 0.1
    assert abs(np.corrcoef(np.arange(500), truth["time"])[0, 1]) < 0.15


def test_who_is_alike_is_not_taken_for_one_patient() -> None:
    """Covariates repeat between patients; digests do not, and change with an input."""
    digests = [case.digest for case in read(real_data("glioma")).development.cases]

    assert len(set(digests)) == 500


# ------------------------------------------------------------------------------------------ broken
@pytest.mark.parametrize(
    ("file", "line", "column", "value", "words"),
    [
        (f"{DEVELOPMENT}/{UCSF}", 3, "OS", "0", "line 3, column OS: '0' is not above 0"),
        (f"{DEVELOPMENT}/{UCSF}", 3, "OS", "-4", "line 3, column OS"),
        (f"{DEVELOPMENT}/{UCSF}", 3, "OS", "soon", "line 3, column OS: 'soon' is not a number"),
        (f"{DEVELOPMENT}/{UCSF}", 4, "1-dead 0-alive", "2", "line 4, column 1-dead 0-alive: '2'"),
        (f"{DEVELOPMENT}/{UCSF}", 4, "Sex", "X", "line 4, column Sex: 'X' is not one of F, M"),
        (f"{DEVELOPMENT}/{UCSF}", 4, "IDH", "perhaps", "line 4, column IDH: 'perhaps'"),
        (f"{DEVELOPMENT}/{UCSF}", 4, "Age at MRI", "900", "line 4, column Age at MRI"),
        (
            f"{DEVELOPMENT}/{UCSF}",
            5,
            "ID",
            "UCSF-PDGM-004",
            "line 5, column ID: UCSF-PDGM-004 was given before",
        ),
        (f"tcga/{TCGA}", 2, "censorship", "3", "'3' is not known .0 dead, 1 censored."),
        (f"tcga/{TCGA}", 2, "survival_months", "0", "line 2, column survival_months"),
        (f"tcga/{TCGA}", 2, "case_id", "UCSF-PDGM-004", "UCSF-PDGM-004 is in ucsf_pdgm and tcga"),
        (f"{DEVELOPMENT}/{data.FEATURES}", 7, RADIOMICS[3], "nan", f"line 7, column {RADIOMICS[3]}: 'nan'"),
    ],
)
def test_a_wrong_cell_is_refused_by_file_line_and_column(
    copy: Path, file: str, line: int, column: str, value: str, words: str
) -> None:
    """Times that are not above 0, events and codes that are not declared, patients given twice."""
    change(copy / file, line, column, value)
    with pytest.raises(UserError, match=words):
        read(copy, external="none" if data.FEATURES in file else "tcga")


@pytest.mark.parametrize(
    ("column", "value"), [("survival_months", "50.1"), ("censorship", "1")], ids=["time", "event"]
)
def test_slides_that_contradict_each_other_are_refused(copy: Path, column: str, value: str) -> None:
    """TCGA-12-3653 has four slides."""
    path = copy / "tcga" / TCGA
    with path.open(newline="") as file:
        lines = [n for n, row in enumerate(csv.reader(file), start=1) if row[2] == "TCGA-12-3653"]
    change(path, lines[2], column, value)
    with pytest.raises(UserError, match=f"line {lines[2]}, column {column}: '{value}' of TCGA-12-3653"):
        read(copy)


def test_missing_files_columns_and_options_are_named(copy: Path) -> None:
    """The first thing that a new user meets."""
    with pytest.raises(UserError, match="No external named 'tgca'. Did you mean 'tcga'"):
        read(copy, external="tgca")
    with pytest.raises(UserError, match="No preparation option 'size'"):
        data.decode(read(copy).development.cases[0], {"size": 3})
    with pytest.raises(UserError, match="tells the survival. Leave truth="):
        data.read(copy, copy / "t.csv", {})
    with pytest.raises(UserError, match="external=none has no test set"):
        data.read(copy, copy / "t.csv", {"external": "none"})
    table = pd.read_csv(copy / DEVELOPMENT / UCSF, dtype=str)
    table.drop(columns="IDH").to_csv(copy / DEVELOPMENT / UCSF, index=False)
    with pytest.raises(UserError, match="column 'IDH' is missing"):
        read(copy)
    shutil.rmtree(copy / DEVELOPMENT)
    with pytest.raises(UserError, match="does not exist"):
        read(copy)


def test_radiomics_of_two_patients_may_not_be_the_same(copy: Path) -> None:
    """One of them is not the own tumour."""
    path = copy / DEVELOPMENT / data.FEATURES
    lines = path.read_text().splitlines()
    lines[5] = lines[5].split(",")[0] + lines[4][lines[4].index(",") :]
    path.write_text("\n".join(lines))
    with pytest.raises(UserError, match="Two patients have the same image"):
        read(copy, external="none")


def test_an_organiser_may_keep_the_survival_of_the_test_cohort(copy: Path) -> None:
    """Without the columns there is no truth, or that of truth=FILE, cut at one year where that is asked."""
    path = copy / "tcga" / TCGA
    known = read(copy, endpoint="1yr").test
    pd.read_csv(path).drop(columns=["survival_months", "censorship"]).to_csv(path, index=False)
    assert read(copy).test.truth is None
    assert read(copy).test.ids == known.ids
    truth = read_cohort(real_data("glioma"), "tcga").patients
    lines = ["ID,time,event", *(f"{p.id},{p.time!r},{int(p.dead)}" for p in truth)]
    (copy / "truth.csv").write_text("\n".join(lines))
    found = data.read(copy, copy / "truth.csv", {"endpoint": "1yr"}).test
    for key, values in (known.truth or {}).items():
        assert np.array_equal((found.truth or {})[key], values, equal_nan=key == "age"), key


@pytest.mark.parametrize(
    ("words", "breaks"),
    [
        ("line 2, column event: '5'", lambda text: re.sub(r",\d\n", ",5\n", text, count=1)),
        ("line 2, column time: '0'", lambda text: re.sub(r",[^,]+,(\d)\n", r",0,\1\n", text, count=1)),
        ("'b' is missing", lambda text: text.replace("b,9,0\n", "")),
        ("'c' is not asked for", lambda text: text + "c,3,1\n"),
        ("a was given before", lambda text: text + "a,3,1\n"),
    ],
)
def test_a_malformed_truth_file_is_refused(tmp_path: Path, words: str, breaks: Callable[[str], str]) -> None:
    """By line and column."""
    path = tmp_path / "t.csv"
    path.write_text(breaks("ID,time,event\na,3.5,1\nb,9,0\n"))
    with pytest.raises(UserError, match=words):
        data.read_truth(path, ["b", "a"])
