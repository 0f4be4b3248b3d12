"""What names say: which case and which part of it a file is, and whose case it is.

2020, 2021   BraTS20_Training_001_{t1,t1ce,t2,flair,seg}.nii[.gz], BraTS2021_00000_...
2023 on      BraTS-GLI-00000-000-{t1n,t1c,t2w,t2f,seg}.nii.gz; the last number is the time point
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

__all__ = ["MODALITIES", "SEGMENTATION", "Named", "case_of_labels", "is_case_id", "parse", "patients"]

MODALITIES = ("t1", "t1ce", "t2", "flair")
NAMINGS = (MODALITIES, ("t1n", "t1c", "t2w", "t2f"))
"""The words for the modalities, in one order: until 2021, and since 2023."""
SEGMENTATION = "seg"

PART = re.compile(r"(.+)[_-](t1|t1ce|t2|flair|t1n|t1c|t2w|t2f|seg)\.nii(?:\.gz)?")
LABELS = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*?)(?:[_-]seg)?\.nii(?:\.gz)?")
CASE = re.compile(
    r"BraTS20_(?:Training|Validation)_[0-9]{3}|BraTS2021_[0-9]{5}|BraTS-[A-Z]+-[0-9]{5}-[0-9]{3}"
)
TIME_POINT = re.compile(r"(BraTS-[A-Z]+-[0-9]{5})-[0-9]{3}")

ALIASES: Mapping[tuple[str, str], str] = MappingProxyType(
    {("BraTS20_Training_355", f"W39_1998.09.19_Segm.nii{end}"): SEGMENTATION for end in ("", ".gz")}
)
"""Defects of the public set: (folder, file) -> part."""


@dataclass(frozen=True, slots=True)
class Named:
    """What the name of one NIfTI file says."""

    case: str
    part: str
    """A word for a modality, as it is in the name, or SEGMENTATION."""

    @property
    def naming(self) -> int | None:
        """Which of NAMINGS the word is from; None for a segmentation."""
        return next((k for k, words in enumerate(NAMINGS) if self.part in words), None)

    @property
    def modality(self) -> str:
        """The modality by its word of 2020, or SEGMENTATION."""
        k = self.naming
        return self.part if k is None else MODALITIES[NAMINGS[k].index(self.part)]


def parse(name: str, folder: str = "") -> Named | None:
    """Read a file's name; None for an unknown form. `folder` is the name of the folder it is in."""
    if part := ALIASES.get((folder, name)):
        return Named(folder, part)
    match = PART.fullmatch(name)
    return Named(match[1], match[2]) if match else None


def case_of_labels(name: str) -> str | None:
    """Return the case of a label file `<id>.nii[.gz]`, `<id>_seg...` or `<id>-seg...`; None if it is none."""
    named, match = parse(name), LABELS.fullmatch(name)
    return None if match is None or (named and named.part != SEGMENTATION) else match[1]


def is_case_id(name: str) -> bool:
    """Whether a name has the form of an edition's case ids."""
    return CASE.fullmatch(name) is not None


def patients(cases: Iterable[str], aliases: Sequence[Sequence[str]]) -> dict[str, str]:
    """Return the patient of each case.

    A case of 2023 on names its patient; another case is a patient of its own, unless a row of `aliases`
    (ids of one patient, of this and of older editions) joins it to others: the first id is then the patient.
    """
    listed = sorted(cases)
    own = {case: match[1] if (match := TIME_POINT.fullmatch(case)) else case for case in listed}
    head: dict[str, str] = {}

    def find(name: str) -> str:
        while head.setdefault(name, name) != name:
            name = head[name]
        return name

    for group in [*([case, own[case]] for case in listed), *aliases]:
        roots = [find(name) for name in group]
        head.update((other, roots[0]) for other in roots[1:])
    first: dict[str, str] = {}
    return {case: first.setdefault(find(case), own[case]) for case in listed}
