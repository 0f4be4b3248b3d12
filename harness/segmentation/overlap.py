"""Overlap metrics of one region from its confusion counts."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Confusion", "dice", "overlaps"]


@dataclass(frozen=True, slots=True)
class Confusion:
    """Voxels of one region."""

    tp: int
    fp: int
    fn: int
    tn: int

    @property
    def truth(self) -> int:
        """Voxels of the truth."""
        return self.tp + self.fn

    @property
    def prediction(self) -> int:
        """Voxels of the prediction."""
        return self.tp + self.fp


def dice(common: int, truth: int, prediction: int) -> float:
    """Return 2|A and B| / (|A| + |B|); the sum is not 0.

    >>> dice(1, 2, 2)
    0.5
    """
    return 2.0 * common / (truth + prediction)


def overlaps(counts: Confusion, both_empty: float) -> dict[str, float]:
    """Return Dice, IoU, sensitivity, specificity, precision and accuracy.

    `both_empty` is the value where neither has the region; one empty gives 0. IoU = D / (2 - D) <= Dice.
    """
    tp, fp, fn, tn = counts.tp, counts.fp, counts.fn, counts.tn
    empty = tp + fp + fn == 0
    return {
        "dice": both_empty if empty else dice(tp, counts.truth, counts.prediction),
        "iou": both_empty if empty else tp / (tp + fp + fn),
        "sensitivity": both_empty if empty else _share(tp, tp + fn),
        "specificity": _share(tn, tn + fp),
        "precision": both_empty if empty else _share(tp, tp + fp),
        "accuracy": (tp + tn) / (tp + fp + fn + tn),
    }


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0
