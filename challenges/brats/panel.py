"""What the entry's page shows beside the metrics: tables by region and the worst cases, JSON-ready."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.panels import in_korean
from harness.segmentation.editions import CORNERS, POOLED, Edition

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.contracts import Array

    Columns = Mapping[str, NDArray[np.float64]]

__all__ = ["definitions", "panel"]

REGIONS = ("WT", "TC", "ET")
SHOWN = {
    "dice": "Dice",
    "hd95": "HD95, mm",
    "nsd": "surface Dice, 1 mm",
    "lesion_dice": "lesion-wise Dice",
    "lesion_hd95": "lesion-wise HD95, mm",
}
SIZES = ((0.0, 1.0), (1.0, 10.0), (10.0, 50.0), (50.0, np.inf))
"""Of the true region, ml: first of them above, last included."""
SPACING = {
    "": "Voxel sizes are those of the truth's header.",
    "merged": "Voxel sizes are those of the truth's header; the official script takes the prediction's.",
    "paired": (
        "Voxel sizes are those of the truth's header. The official tool reverses their order in lesion-wise "
        "scores and takes 1 mm in the others; on voxels of 1 mm the numbers are the same."
    ),
}
"""By how lesions are matched; measured against the official tools."""
NEITHER = "Where truth and prediction both lack a region:"
ONE = "Where only one has it: Dice 0; there"
WORST = 10
ML = 1000.0


WORST_TITLE = f"The {WORST} cases of lowest mean Dice"
KOREAN = {
    "By region, over cases": "영역별, 증례 전체",
    "Regions that truth or prediction lack": "정답이나 예측에 없는 영역",
    "Mean Dice by the size of the true region": "실제 영역의 크기별 평균 Dice",
    WORST_TITLE: f"평균 Dice가 가장 낮은 {WORST}증례",
    "How it is measured": "측정 방법",
    "region": "영역",
    "metric": "지표",
    "cases": "증례",
    "mean": "평균",
    "first quartile": "제1사분위수",
    "median": "중앙값",
    "third quartile": "제3사분위수",
    "lowest": "최솟값",
    "highest": "최댓값",
    "not in the truth": "정답에 없음",
    "of these not predicted either": "그중 예측에도 없음",
    "invented": "거짓 예측",
    "missed": "놓침",
    "no voxel shared": "겹치는 복셀 없음",
    "HD95 penalties": "HD95 벌점",
    "mean HD95 without them, mm": "벌점을 뺀 평균 HD95, mm",
    "true volume": "실제 부피",
    "mean Dice": "평균 Dice",
    "case": "증례",
    "true volume WT, ml": "실제 부피 WT, ml",
    f"HD95 (edition {{}}): {POOLED}.": (
        "HD95({}판): 경계 복셀(6개 이웃 중 하나라도 바깥인 복셀)의 중심 사이 거리를 두 방향에서 모두 "
        "합쳐 구한 95번째 백분위수(선형 보간), mm."
    ),
    f"HD95 (edition {{}}): {CORNERS}.": (
        "HD95({}판): 표면의 복셀 모서리 사이 거리를 마칭 큐브 면적으로 가중해 방향별로 구한 95번째 "
        "백분위수 중 큰 값, 보간 없음(BraTS-2023 스크립트의 기존 HD95), mm."
    ),
    "Surface Dice: share of the border voxels, mean of the two shares, of both within 1 mm of the other's "
    "surface.": ("표면 Dice: 각자의 경계 복셀 중 상대 표면에서 1 mm 이내인 비율의 두 방향 평균."),
    "Surface Dice: share of the surface area of both within 1 mm of the other's surface.": (
        "표면 Dice: 양쪽 표면적 가운데 상대 표면에서 1 mm 이내인 비율."
    ),
    f"{NEITHER} Dice 1 and HD95 0. {ONE}, HD95 is the image's diagonal.": (
        "정답과 예측에 모두 영역이 없으면 Dice 1, HD95 0입니다. 한쪽에만 있으면 Dice는 0, HD95는 영상의 "
        "대각선입니다."
    ),
    f"{NEITHER} Dice 1 and HD95 0. {ONE}, HD95 is {{}} mm.": (
        "정답과 예측에 모두 영역이 없으면 Dice 1, HD95 0입니다. 한쪽에만 있으면 Dice는 0, HD95는 {} mm입니다."
    ),
    f"{NEITHER} no value (left out of the means). {ONE}, or share no voxel, HD95 is {{}} mm.": (
        "정답과 예측에 모두 영역이 없으면 값이 없고 평균에서 빠집니다. 한쪽에만 있으면 Dice는 0이고, 이때와 "
        "겹치는 복셀이 없을 때 HD95는 {} mm입니다."
    ),
    SPACING[""]: "복셀 크기는 정답의 헤더를 따릅니다.",
    SPACING["merged"]: "복셀 크기는 정답의 헤더를 따릅니다. 공식 스크립트는 예측의 것을 씁니다.",
    SPACING["paired"]: (
        "복셀 크기는 정답의 헤더를 따릅니다. 공식 도구는 병변별 점수에서 그 순서를 뒤집고 나머지에서는 "
        "1 mm로 봅니다. 1 mm 복셀에서는 값이 같습니다."
    ),
}


def definitions(edition: Edition) -> tuple[str, ...]:
    """Return what must be printed beside the numbers of an edition."""
    penalty = "the image's diagonal" if edition.penalty is None else f"{edition.penalty:g} mm"
    empty = "no value (left out of the means)" if np.isnan(edition.both_empty[0]) else "Dice 1 and HD95 0"
    missed = ", or share no voxel" if edition.disjoint_is_missed else ""
    return (
        f"HD95 (edition {edition.name}): {edition.hd95_definition}.",
        f"Surface Dice: {edition.nsd_definition}.",
        f"{NEITHER} {empty}. {ONE}{missed}, HD95 is {penalty}.",
        SPACING[edition.lesions],
    )


def panel(columns: Columns, ids: Array | None, edition: Edition) -> dict[str, Any]:
    """Return what the page shows, from the columns of `Scorer.per_case`; undefined numbers are None."""
    found = {
        "regions": _table("By region, over cases", list(_regions(columns))),
        "empty": _table(
            "Regions that truth or prediction lack", [_empty(columns, r, edition) for r in REGIONS]
        ),
        "sizes": _table("Mean Dice by the size of the true region", list(_sizes(columns))),
        "worst": _table(WORST_TITLE, list(_worst(columns, ids))),
    }
    shown: dict[str, Any] = {name: table for name, table in found.items() if table["rows"]}
    shown["definitions"] = {
        "kind": "note",
        "title": "How it is measured",
        "text": "\n".join(definitions(edition)),
    }
    return in_korean(shown, KOREAN)


def _known(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _mean(values: Array) -> float | None:
    return _known(float(values.mean())) if len(values) else None


def _regions(columns: Columns) -> Iterator[dict[str, Any]]:
    """Yield a row for each region and metric that has a value in any case."""
    for region in REGIONS:
        for key, title in SHOWN.items():
            values = columns[f"{key}_{region.lower()}"]
            values = values[~np.isnan(values)]
            if len(values):
                low, middle, high = np.percentile(values, (25, 50, 75)).tolist()
                quartiles = {"first quartile": low, "median": middle, "third quartile": high}
                ends = {"lowest": float(values.min()), "highest": float(values.max())}
                row = {"region": region, "metric": title, "cases": len(values)}
                yield {**row, "mean": _mean(values), **quartiles, **ends}


def _empty(columns: Columns, region: str, edition: Edition) -> dict[str, Any]:
    """Return how often a region is missing, and HD95 with and without the penalties in it."""
    truth, predicted, overlap, distance = (
        columns[f"{key}_{region.lower()}"] for key in ("volume", "predicted_volume", "dice", "hd95")
    )
    missed, invented = (truth > 0) & (predicted == 0), (truth == 0) & (predicted > 0)
    apart = (truth > 0) & (predicted > 0) & (overlap == 0)
    penalised = missed | invented | (apart if edition.disjoint_is_missed else False)
    return {
        "region": region,
        "cases": len(truth),
        "not in the truth": int((truth == 0).sum()),
        "of these not predicted either": int(((truth == 0) & (predicted == 0)).sum()),
        "invented": int(invented.sum()),
        "missed": int(missed.sum()),
        "no voxel shared": int(apart.sum()),
        "HD95 penalties": int(penalised.sum()),
        "mean HD95 without them, mm": _mean(distance[~penalised & ~np.isnan(distance)]),
    }


def _sizes(columns: Columns) -> Iterator[dict[str, Any]]:
    for region in REGIONS:
        volume = columns[f"volume_{region.lower()}"] / ML
        overlap = columns[f"dice_{region.lower()}"]
        for above, last in SIZES:
            inside = (volume > above) & (volume <= last)
            if inside.any():
                size = f"{above:g} to {last:g} ml" if np.isfinite(last) else f"above {above:g} ml"
                row = {"region": region, "true volume": size, "cases": int(inside.sum())}
                yield {**row, "mean Dice": _mean(overlap[inside]), "lowest": float(overlap[inside].min())}


def _worst(columns: Columns, ids: Array | None) -> Iterator[dict[str, Any]]:
    """Yield the cases of lowest mean Dice, then of highest mean HD95; a case without a name has its row."""
    overlap = columns["dice"]
    distances = np.stack([columns[f"hd95_{region.lower()}"] for region in REGIONS])
    far = np.where(np.isnan(distances), 0.0, distances).sum(axis=0)
    order = np.lexsort((np.arange(len(overlap)), -far, overlap))
    for row in order[~np.isnan(overlap[order])][:WORST].tolist():
        yield {
            "case": str(ids[row]) if ids is not None else f"row {row + 1}",
            "mean Dice": _known(overlap[row]),
            **{f"Dice {region}": _known(columns[f"dice_{region.lower()}"][row]) for region in REGIONS},
            **{f"HD95 {region}, mm": _known(columns[f"hd95_{region.lower()}"][row]) for region in REGIONS},
            "true volume WT, ml": _known(columns["volume_wt"][row] / ML),
        }


def _table(title: str, rows: list[dict[str, Any]]) -> dict[str, Any]:
    names = list(rows[0]) if rows else []
    return {"kind": "table", "title": title, "columns": names, "rows": [list(row.values()) for row in rows]}
