"""Lesion-wise scores: which lesions are matched, and what their scores make together."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from harness.segmentation.editions import Edition
from harness.segmentation.overlap import dice

__all__ = ["Lesion", "merged_scores", "one_to_one", "paired_scores"]

MIN_DICE = 1e-6
ALONE = 1.0 + MIN_DICE
"""Cost of leaving a lesion alone, as the 2026 tool has it; a pair costs 1 - Dice."""


@dataclass(frozen=True, slots=True)
class Lesion:
    """One truth lesion that counts and what was found of it."""

    dice: float = 0.0
    hd95: float = math.inf
    nsd: float = 0.0
    found: bool = False


def merged_scores(lesions: Sequence[Lesion], false: int, penalty: float) -> dict[str, float]:
    """Return the 2023 scores: sums over truth lesions divided by their number and that of the false ones.

    `lesions` come in the order of the official script, whose float sums we repeat.
    """
    n = len(lesions) + false
    distances = [lesion.hd95 if lesion.found else penalty for lesion in lesions]
    return {
        "lesion_dice": float(np.sum([lesion.dice for lesion in lesions])) / n if n else 1.0,
        "lesion_hd95": (float(np.sum(distances)) + false * penalty) / n if n else 0.0,
        **_detection(lesions, false),
    }


def paired_scores(lesions: Sequence[Lesion], false: int, edition: Edition) -> dict[str, float]:
    """Return the 2026 scores: means over the pairs alone; misses and false lesions count in F1 only."""
    counts = _detection(lesions, false)
    found = [lesion for lesion in lesions if lesion.found]
    nothing = not lesions and not false
    f1 = 2 * counts["tp"] / (2 * counts["tp"] + counts["fp"] + counts["fn"]) if not nothing else math.nan
    if not found:
        overlap, distance = edition.both_empty if nothing else (0.0, float(edition.penalty or math.nan))
        means = {"lesion_dice": overlap, "lesion_hd95": distance, "lesion_nsd": overlap}
    else:
        means = {
            f"lesion_{name}": float(np.mean([getattr(lesion, name) for lesion in found]))
            for name in ("dice", "hd95", "nsd")
        }
    return {**means, "lesion_f1": f1, **counts}


def _detection(lesions: Sequence[Lesion], false: int) -> dict[str, float]:
    found = sum(lesion.found for lesion in lesions)
    return {"tp": float(found), "fp": float(false), "fn": float(len(lesions) - found)}


def one_to_one(
    common: Mapping[tuple[int, int], int], truth: Sequence[int], prediction: Sequence[int]
) -> dict[int, int]:
    """Return the one-to-one pairs (truth component -> predicted component) of largest total Dice.

    `common` maps pairs of components to the voxels they share; `truth` and `prediction` hold the voxels
    of each component. Components that share no voxel are never paired, so each connected group of
    overlaps is solved alone: with much noise the whole matrix would not fit in memory.
    """
    scores = {pair: dice(n, truth[pair[0]], prediction[pair[1]]) for pair, n in sorted(common.items())}
    scores = {pair: score for pair, score in scores.items() if score >= MIN_DICE}
    pairs: dict[int, int] = {}
    for rows, columns in _groups(list(scores)):
        if len(rows) == len(columns) == 1:
            pairs[rows[0]] = columns[0]
        else:
            pairs.update(_assign(rows, columns, scores))
    return dict(sorted(pairs.items()))


def _groups(edges: Sequence[tuple[int, int]]) -> list[tuple[list[int], list[int]]]:
    """Return the connected groups of a bipartite graph: (sorted rows, sorted columns)."""
    columns_of, rows_of = defaultdict[int, set[int]](set), defaultdict[int, set[int]](set)
    for row, column in edges:
        columns_of[row].add(column)
        rows_of[column].add(row)
    groups = []
    while columns_of:
        rows, columns, ahead = set[int](), set[int](), {next(iter(columns_of))}
        while ahead:
            rows |= ahead
            new = set().union(*(columns_of.pop(row) for row in ahead)) - columns
            columns |= new
            ahead = set().union(*(rows_of[column] for column in new)) - rows
        groups.append((sorted(rows), sorted(columns)))
    return groups


def _assign(
    rows: Sequence[int], columns: Sequence[int], scores: Mapping[tuple[int, int], float]
) -> dict[int, int]:
    from scipy.optimize import linear_sum_assignment

    cost = np.array([[1.0 - scores.get((row, column), 1.0 - ALONE) for column in columns] for row in rows])
    chosen = zip(*linear_sum_assignment(cost), strict=True)
    return {rows[i]: columns[j] for i, j in chosen if (rows[i], columns[j]) in scores}
