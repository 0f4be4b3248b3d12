"""Fake run records for the leaderboard: any number, any state, hostile names.

The scores are drawn, not computed: these records test how a board is shown, never what a model can do.
"""

from __future__ import annotations

import dataclasses
import random
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from harness.atomic import write_atomic
from harness.contracts import Metric
from harness.records import (
    Cell,
    ChallengeFacts,
    DataFacts,
    Entry,
    Half,
    Interval,
    Route,
    RunRecord,
    SweepFacts,
    SweepTrial,
    dump,
)
from leaderboard.card import Card, card_of

FINGERPRINT = "3f9a1c07be" + "0" * 54
LOCATIONS = (
    *("L_ICA", "R_ICA", "L_PCOM", "R_PCOM", "L_AntChor", "R_AntChor", "L_ACA", "R_ACA", "L_ACOM"),
    *("R_ACOM", "L_MCA", "R_MCA", "L_VA", "R_VA", "L_PICA", "R_PICA", "L_SCA", "R_SCA", "BA"),
    *("L_PCA", "R_PCA"),
)
HOSTILE = (
    "<script>alert('team')</script>",
    '"><img src=x onerror=alert(1)>',
    "\u202eevil txet desrever",
    "</title><script>document.title='owned'</script>",
    "{{ 7 * 7 }} {% raw %}",
    "=HYPERLINK(0)",
    "team " + "very-long-" * 60,
    "nul\x00 bell\x07 escape\x1b[31mred\x1b[0m",
    "뇌동맥류 연구실 🧠👩‍⚕️",
    "Z" + "\u0335\u0321\u0322" * 40 + "algo",
    "lone \ud83d surrogate",
    "\u200b\u200d",
    "../../../etc/passwd",
    "' onmouseover='alert(1)",
    "&lt;b&gt;bold&amp;",
)
TEAMS = (
    *("Aneurysm Imaging Lab", "Team Whiting", "Vessel & Co.", "Pusan Angio Group", "부산 영상의학"),
    *("Circle of Willis", "Jeonnam Neuro AI", "DSA Study Group", "Kyungpook Vision", "Lumen"),
    *("Radiology Residents 2023", "Posterior Circulation"),
)
TITLES = (
    "EfficientNet-B0, eight views as channels",
    "ResNet-18 for each view, maximum over angles",
    "Swin V2 anterior, ResNet-18 posterior",
    "Matched filter on vessel bifurcations",
    "Frozen features and a logistic regression",
    "Multi-view attention with asymmetric loss",
)
METRICS: tuple[tuple[str, str, str, bool], ...] = (
    ("auroc_aneurysm", "auroc", "AUROC (aneurysm)", True),
    ("location_accuracy", "accuracy", "Location accuracy", True),
    ("auprc_aneurysm", "auprc", "AUPRC (aneurysm)", True),
    ("brier_aneurysm", "brier", "Brier score (aneurysm)", False),
    ("location_macro_f1", "f1_macro", "Macro F1 (locations)", True),
)
DESCRIPTIONS = {
    "auroc_aneurysm": "Probability that a patient with an aneurysm gets the higher score.",
    "location_accuracy": "Share of the 21 x n location cells that are right; all zeros already score 0.971.",
    "auprc_aneurysm": "Area under precision and recall; prevalence is the constant answer's.",
    "brier_aneurysm": "Mean squared error of the aneurysm probability.",
    "location_macro_f1": "F1 averaged over the locations that occur with and without aneurysm.",
}


def never(*_: object, **__: object) -> Any:
    """Refuse to compute: the board reads scores, it makes none."""
    raise AssertionError("the leaderboard computes no metric")


def metric(name: str, higher: bool = True, **bounds: float) -> Metric:
    """Return a metric's facts without its arithmetic."""
    return Metric(name, name, never, higher, bounds.get("low", 0.0), bounds.get("high", 1.0))


def challenge_yaml() -> dict[str, Any]:
    """Return the parsed challenge.yaml of a challenge like K-ium."""
    return {
        "title": "Cerebral aneurysms on digital subtraction angiography",
        "task": "Say whether a patient has an aneurysm, and in which of 21 arteries.",
        "version": "1",
        "description": "Eight angiograms of each patient: two injections, two sides, two angles.",
        "metrics": [
            {"key": key, "metric": name, "title": title, "description": DESCRIPTIONS[key]}
            for key, name, title, _ in METRICS
        ],
        "ranking": {"decimals": 6, "tie_breakers": ["location_accuracy"]},
        "folds": 10,
        "licence": "For research; ask the hosts for the data.",
        "data_access": "https://k-ium.example.org",
        "citation": "K-ium 2023",
        "literature": [
            {"title": "Team A (official round)", "metric": "auroc_aneurysm", "value": 0.5958,
             "computed_on": "50 test patients", "note": "Best published score.", "source": "Report, 2023"},
            {"title": "Team A (official round)", "metric": "location_accuracy", "value": 0.9638,
             "computed_on": "50 test patients", "note": "Best published score.", "source": "Report, 2023"},
            {"title": "Team B", "metric": "auroc_aneurysm", "value": 0.971,
             "computed_on": "50 of its own training patients", "note": "A training score.",
             "source": "Slides, 2023"},
        ],
    }  # fmt: skip


def card(name: str = "kium", content: Mapping[str, Any] | None = None) -> Card:
    """Return the challenge's card."""
    directions = {name: higher for _, name, _, higher in METRICS}
    return card_of(name, content or challenge_yaml(), lambda name: metric(name, directions[name]))


def interval(value: float, half_width: float) -> Interval:
    """Return a symmetric interval that stays in [0, 1]."""
    return Interval(value, max(0.0, value - half_width), min(1.0, value + half_width))


def scores(auroc: float, accuracy: float = 0.968, n: int = 50) -> dict[str, Interval]:
    """Return all metrics of a half with n patients around a given AUROC."""
    wide = 0.98 / n**0.5
    return {
        "auroc_aneurysm": interval(auroc, wide),
        "location_accuracy": interval(accuracy, wide / 10),
        "auprc_aneurysm": interval(min(1.0, auroc * 0.95), wide * 1.2),
        "brier_aneurysm": interval(max(0.0, 0.5 - auroc / 2.2), wide / 3),
        "location_macro_f1": interval(max(0.0, auroc - 0.55), wide / 2),
    }


def half(auroc: float, accuracy: float = 0.968, n: int = 50, panel: bool = True) -> Half:
    """Return a complete half."""
    return Half(n, n, scores(auroc, accuracy, n), make_panel(auroc, n) if panel else {})


def make_panel(auroc: float, n: int) -> dict[str, Any]:
    """Return tables and curves as a scorer makes them."""
    x = np.linspace(0, 1, 21)
    roc = x ** max(0.02, (1 - auroc) / max(auroc, 0.05))
    bins = np.arange(0.05, 1, 0.1)
    draw = random.Random(round(auroc * 1e6))
    return {
        "roc": {"kind": "curve", "title": "ROC of the aneurysm score",
                "x_label": "1 - specificity", "y_label": "Sensitivity", "diagonal": True,
                "series": [{"name": "aneurysm", "x": x.tolist(), "y": roc.tolist()}]},
        "reliability": {"kind": "curve", "title": "Reliability", "x_label": "Mean predicted probability",
                        "y_label": "Observed share", "diagonal": True,
                        "series": [{"name": "bins", "x": bins.tolist(),
                                    "y": [None, *(min(1, b * (0.8 + 0.4 * draw.random())) for b in bins[1:])],
                                    "n": [0, *(draw.randint(1, n // 4) for _ in bins[1:])]}]},
        "confusion": {"kind": "table", "title": "Confusion at 0.5",
                      "columns": ["", "called positive", "called negative"],
                      "rows": [["aneurysm", 17, 6], ["none", 8, 19]]},
        "locations": {"kind": "table", "title": "Locations",
                      "columns": ["Location", "positive", "sensitivity", "specificity", "F1"],
                      "rows": [[name, draw.randint(0, 9), None if i > 15 else draw.random(),
                                0.9 + draw.random() / 10, draw.random()]
                               for i, name in enumerate(LOCATIONS)]},
        "ppv": {"kind": "table", "title": "Positive predictive value by prevalence",
                "columns": ["Prevalence", "PPV"], "rows": [[0.03, 0.071], [0.1, 0.21], [0.464, 0.68]]},
        "remark": {"kind": "note", "title": "Note", "text": "Posterior locations are rare: pool them."},
        "other": {"kind": "matrix", "values": [[1, 2], [3, None]]},
    }  # fmt: skip


def cell(fold: int, auroc: float, *, failure: tuple[str, str] | None = None) -> Cell:
    """Return one fold, done or failed."""
    known = {key: value.value for key, value in scores(auroc, 0.965 + fold / 1e3, 110).items()}
    return Cell(
        fold=fold,
        seed=0,
        key=f"cell{fold}",
        state="failed" if failure else "done",
        failure_kind=failure[0] if failure else None,
        failure_reason=failure[1] if failure else None,
        started="2026-11-20T08:00:00Z",
        finished="2026-11-20T08:05:00Z",
        seconds=300.0 + 7.3 * fold,
        peak_memory_bytes=(900 + 11 * fold) << 20,
        n_train=990,
        n_heldout=110,
        metrics={} if failure else known,
    )


def record(
    name: str = "aim_efficientnet",
    test: float | None = 0.62,
    cv: float | None = 0.6,
    *,
    accuracy: float = 0.968,
    team: str = "Aneurysm Imaging Lab",
    title: str = "EfficientNet-B0, eight views as channels",
    route: Route = "code",
    overrides: tuple[str, ...] = (),
    run_id: str = "",
    finished: str = "2026-11-20T09:00:00Z",
    failure: tuple[str, str] | None = None,
    phantom: bool = False,
    digest: str = "d" * 64,
    panel: bool = True,
    scorer: str = "c" * 64,
    truth: str = "",
    isolation: str = "bubblewrap",
) -> RunRecord:
    """Return a run record; with a failure it is failed and without scores."""
    seeded = random.Random(ascii((name, team, cv)))
    spread = [min(1.0, max(0.0, (cv or 0.5) + seeded.gauss(0, 0.05))) for _ in range(10)]
    failed = failure is not None
    cells = tuple(cell(i, x, failure=failure if i == 3 else None) for i, x in enumerate(spread))
    entry = Entry(
        name=name,
        route=route,
        team=team,
        title=title,
        description="One network sees the eight views as channels.\nTrained from scratch.",
        licence="Apache-2.0",
        digest=digest,
        settings={"model": {"width": 1.0, "dropout": 0.2}, "trainer": {"max_epochs": 10}},
        overrides=overrides,
        parameters=4_010_269 if route == "code" else None,
    )
    return RunRecord(
        run_id=run_id or f"{name}-{finished[:10]}",
        key=f"key-{name}-{overrides}",
        challenge=ChallengeFacts("kium", "1", scorer),
        data=DataFacts(FINGERPRINT, phantom, 1127, 50, True, truth),
        entry=entry,
        state="failed" if failed else "complete",
        failures=(f"Fold 3 failed ({failure[0]}): {failure[1]}",) if failure else (),
        n_folds=10,
        seed=0,
        cells=cells if route == "code" else (),
        cv=None if cv is None or failed else half(cv, accuracy - 0.001, 1127, panel),
        test=None if test is None or failed else half(test, accuracy, 50, panel=False),
        isolation=isolation if route == "code" else "none",
        started="2026-11-20T08:00:00Z",
        finished=finished,
        seconds=3245.0 if route == "code" else 0.0,
        command=f"harness run challenge=kium submission={name}" + "".join(f" {w}" for w in overrides),
        provenance={"git": {"commit": "0123abc", "dirty": False}, "versions": {"torch": "2.15.0"},
                    "hardware": {"cpu": "8 cores", "memory_gb": 32}, "seeds": [0]},
    )  # fmt: skip


def references(phantom: bool = False) -> list[RunRecord]:
    """Return the rows that come with the challenge."""
    shared: dict[str, Any] = {"route": "reference", "team": "MEDAL", "phantom": phantom}
    constant = record("constant", 0.5, 0.5, accuracy=0.9712, title="No aneurysm anywhere", **shared)
    prevalence = record("prevalence", 0.5, 0.5, accuracy=0.9712, title="Prevalence by location", **shared)
    return [constant, prevalence]


def mixed(phantom: bool = False) -> list[RunRecord]:
    """Return a board of every kind of row: ranked, tied, failed, undefined, CV only, file, reference."""
    draw = random.Random(7)
    rows = [
        record(f"entry_{i}", round(0.74 - 0.021 * i, 4), round(0.71 - 0.02 * i + draw.gauss(0, 0.02), 4),
               accuracy=0.9638 + draw.random() / 100, team=TEAMS[i], title=TITLES[i % 6], phantom=phantom)
        for i in range(8)
    ]  # fmt: skip
    first = rows[0]
    rows += [
        record("entry_0", 0.7, 0.69, team=TEAMS[0], title=TITLES[0], run_id="older",
               finished="2026-11-01T09:00:00Z", phantom=phantom),
        record("twin", first.test.metrics["auroc_aneurysm"].value if first.test else 0.5, 0.7, team="Lumen",
               accuracy=first.test.metrics["location_accuracy"].value or 0.0 if first.test else 0.5,
               phantom=phantom),
        record("output", 0.71, None, route="file", team=TEAMS[9], title="Ensemble of five", phantom=phantom),
        record("broken", team=TEAMS[10], failure=("memory", "used 16.0 GB of 16 GB"), phantom=phantom),
        record("only_cv", None, 0.72, team=TEAMS[11], phantom=phantom),
    ]  # fmt: skip
    undefined = record("not_a_number", 0.6, 0.6, team="Nan Desu", phantom=phantom)
    return [*rows, with_test(undefined, float("nan")), *references(phantom)]


def with_test(run: RunRecord, value: float | None) -> RunRecord:
    """Return the record with another ranking value on the test half."""
    assert run.test is not None
    metrics = {**run.test.metrics, "auroc_aneurysm": Interval(value, None, None)}
    return dataclasses.replace(run, test=dataclasses.replace(run.test, metrics=metrics))


def many(n: int, *, hostile: bool = True) -> list[RunRecord]:
    """Return n entries, one in seven failed, some with hostile words everywhere."""
    draw = random.Random(1)
    rows = []
    for i in range(n):
        bad = HOSTILE[i % len(HOSTILE)] if hostile and i % 20 == 5 else ""
        auroc = round(min(0.95, max(0.4, draw.gauss(0.62, 0.07))), 6)
        rows.append(
            record(f"entry_{i:05d}", auroc, auroc + draw.gauss(0, 0.03), accuracy=0.96 + draw.random() / 80,
                   team=bad or f"{TEAMS[i % 12]} {i // 12 + 1}", title=bad or TITLES[i % 6],
                   failure=("timeout", bad or "ran past 6 hours") if i % 7 == 3 else None, panel=i % 50 == 0)
        )  # fmt: skip
    return rows


def hostile() -> list[RunRecord]:
    """Return one scored and one failed entry for each hostile text, in every field that is text."""
    rows = []
    for i, text in enumerate(HOSTILE):
        good = record(f"good_{i}", 0.5 + i / 100, 0.6, team=text, title=text, overrides=(f"model.x={text}",))
        entry = dataclasses.replace(good.entry, description=text, licence=text, settings={text: {text: text}})
        panel = {
            text: {"kind": "table", "title": text, "columns": [text], "rows": [[text]]},
            text + "curve": {"kind": "curve", "title": text, "x_label": text, "y_label": text,
                             "diagonal": True, "series": [{"name": text, "x": [0, 1], "y": [0, 1]}]},
            text + "?": {"kind": text, text: text},
        }  # fmt: skip
        assert good.cv is not None
        rows += [
            dataclasses.replace(good, entry=entry, cv=dataclasses.replace(good.cv, panel=panel),
                                command=text, provenance={text: text}),
            record(text[:80], team=text, title=text, failure=(text, text)),
        ]  # fmt: skip
    return rows


SPACE = {
    "model.lr": "loguniform(1e-5, 1e-2)",
    "model.dropout": "uniform(0.0, 0.5)",
    "model.optimizer": "choice(sgd, adamw)",
}


def trials(n: int, names: Sequence[str] = tuple(SPACE), outer: int | None = None) -> tuple[SweepTrial, ...]:
    """Return n trials: the seventh of each ten is pruned and the ninth failed."""
    draw = random.Random(n if outer is None else n + outer)
    found = []
    for i in range(n):
        state: Any = {6: "pruned", 8: "failed"}.get(i % 10, "complete")
        values = (10 ** draw.uniform(-5, -2), draw.uniform(0, 0.5), draw.choice(["sgd", "adamw"]))
        found.append(
            SweepTrial(
                number=i,
                state=state,
                value=None if state == "failed" else draw.uniform(0.55, 0.66),
                parameters=dict(zip(names, values, strict=False)),
                folds={"complete": 10, "pruned": 3, "failed": 1}[state],
                seconds=30.0 + draw.random(),
                reason={
                    "pruned": "worse than trial 2 on 3 folds (p = 0.03)",
                    "failed": "fold 0: loss is NaN",
                }.get(state),
                outer=outer,
            )
        )
    return tuple(found)


def sweep(
    n: int = 20, *, nested: bool = False, outer: float | None = 0.62, names: Sequence[str] = tuple(SPACE)
) -> SweepFacts:
    """Return a search over three hyperparameters; nested, one of n trials inside each of three outer folds."""
    searches = [trials(n, names, k) for k in range(3)] if nested else [trials(n, names)]
    bests = [
        max((t for t in found if t.state == "complete"), key=lambda t: t.value or 0.0) for found in searches
    ]
    inner = sum(best.value or 0.0 for best in bests) / len(bests)
    tried = tuple(trial for found in searches for trial in found)
    return SweepFacts(
        sampler="tpe",
        pruner="wilcoxon",
        trials=tried,
        space=dict(zip(names, SPACE.values(), strict=True)),
        nested=nested,
        seed=0,
        folds_trained=sum(trial.folds for trial in tried),
        folds_planned=10 * len(tried),
        seconds=sum(trial.seconds for trial in tried) * 10,
        inner_best=inner,
        outer_score=outer,
        optimism=None if outer is None else inner - outer,
        best=tuple(best.parameters for best in bests),
    )


def tuned(name: str = "tuned", facts: SweepFacts | None = None, **words: Any) -> RunRecord:
    """Return a run record with a search."""
    return dataclasses.replace(record(name, **words), sweep=facts or sweep())


def figure(text: str) -> dict[str, Any]:
    """Return a Plotly figure in which every text is the one given, and that asks for a picture."""
    return {
        "data": [{"type": "bar", "name": text, "x": [1, 2], "y": [text, "b"], "text": [text, ""],
                  "hovertemplate": [f"{text}: 1<extra></extra>", text]},
                 {"type": "scatter", "name": "Objective Value", "x": [1, None], "y": [text, text]}],
        "layout": {"title": {"text": text}, "xaxis": {"title": {"text": text}}, "yaxis": {"ticktext": [text]},
                   "images": [{"source": "https://example.org/x.png"}], "width": 5000,
                   "annotations": [{"text": text, "x": 0, "y": 0}]},
    }  # fmt: skip


def english(html: str) -> str:
    """Return a page as a reader of English sees it: of each text in two languages the first."""
    alone = re.sub(r'<(t?span) lang="ko">[^<]*</\1>', "", html)
    return re.sub(r'<(t?span) lang="en">([^<]*)</\1>', r"\2", alone)


def write(runs: Path, records: list[RunRecord], figures: Mapping[str, Any] | None = None) -> Path:
    """Write the records, and the figures by run id, as a runs folder and return it."""
    for number, item in enumerate(records):
        folder = runs / item.challenge.name / (item.run_id if item.sweep else f"run{number:05d}")
        write_atomic(folder / "record.json", dump(item).encode())
        if figures and item.run_id in figures:
            write_atomic(folder / "sweep_figures.json", dump(figures[item.run_id]).encode())
    return runs
