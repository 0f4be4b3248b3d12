"""Which images show which locations, and the way from 21 columns to image labels and back.

The two carotid injections share one set of labels and the two vertebral ones another: the side is
that of the image. Views are in the order of `challenges.kium.columns.VIEWS`; a patient's four
images of one injection are L-A, L-B, R-A, R-B.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from challenges.kium.columns import LOCATIONS, VIEWS

__all__ = ["Injection", "injections", "restore"]

SIDES = ("L", "R")
ANGLES = 2


@dataclass(frozen=True)
class Injection:
    """The four images of one injection and the arteries that they answer for."""

    letter: str
    """I (internal carotid) or V (vertebral), as in the views' names."""
    arteries: tuple[str, ...]

    @property
    def views(self) -> tuple[int, ...]:
        """Positions of the four images among the eight: L-A, L-B, R-A, R-B."""
        return tuple(i for i, view in enumerate(VIEWS) if view[1] == self.letter)

    def columns(self, side: str) -> list[int]:
        """Return where this side's arteries lie among the 21 locations; BA is on both sides."""
        return [LOCATIONS.index("BA" if name == "BA" else f"{side}_{name}") for name in self.arteries]

    def labels(self, locations: Tensor) -> Tensor:
        """Return each image's labels, those of its side: (n, 21) -> (n, 4, arteries)."""
        sides = torch.stack([locations[:, self.columns(side)] for side in SIDES], dim=1)
        return sides.repeat_interleave(ANGLES, dim=1)


def injections(pcom: str = "posterior") -> dict[str, Injection]:
    """Return the anterior and the posterior injection.

    Args:
        pcom: Which of the two answers for PCOM. The team's choice was "posterior"; aneurysms of
            PCOM arise on the carotid artery, so "anterior" is the anatomist's.

    Raises:
        ValueError: for another word.
    """
    if pcom not in ("anterior", "posterior"):
        raise ValueError(f"pcom must be 'anterior' or 'posterior', but got {pcom!r}.")
    anterior, posterior = ("ICA", "AntChor", "ACA", "ACOM", "MCA"), ("VA", "PICA", "SCA", "BA", "PCA")
    if pcom == "anterior":
        anterior += ("PCOM",)
    else:
        posterior += ("PCOM",)
    return {"anterior": Injection("I", anterior), "posterior": Injection("V", posterior)}


def restore(parts: Sequence[tuple[Injection, Tensor]]) -> Tensor:
    """Return the 21 location scores of patients from the scores of their images.

    The maximum over the two angles goes to the side's column; BA takes the larger of its sides.

    Args:
        parts: Each injection with its scores, (n, 4, arteries), from 0 to 1.
    """
    first = parts[0][1]
    locations = first.new_zeros(len(first), len(LOCATIONS))
    for injection, scores in parts:
        for side, of_side in zip(SIDES, scores.split(ANGLES, dim=1), strict=True):
            columns = injection.columns(side)
            locations[:, columns] = torch.maximum(locations[:, columns], of_side.amax(dim=1))
    return locations
