"""Read the chest films as they are distributed, or PneumoniaMNIST, and decode them.

chest_xray/{train,val,test}/{NORMAL,PNEUMONIA}/*.jpeg   variant=kaggle; val is optional, and part of train
pneumoniamnist.npz                                      variant=mnist28; both may lie in one folder
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from challenges.pneumonia import mnist
from challenges.pneumonia.films import Film, base_of, merged_patients, read_films
from challenges.pneumonia.names import AGENTS, BACTERIA, NORMAL, UNKNOWN, VIRUS
from challenges.pneumonia.table import read_truth
from harness.contracts import Case, CaseSet, Dataset
from harness.errors import UserError, did_you_mean, refuse
from harness.images import grey, side_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.contracts import Array, Arrays

__all__ = ["AGENTS", "PREPARATION", "decode", "read", "strata"]

PREPARATION = "1"
SIZE = 256
KAGGLE, MNIST = "kaggle", "mnist28"
DEFAULT: Mapping[str, str] = MappingProxyType({"variant": KAGGLE})


def read(root: Path, truth: Path | None = None, options: Mapping[str, str] = DEFAULT) -> Dataset:
    """Read the films and their labels in the layout that `options["variant"]` names.

    Truth: `pneumonia` (n,) uint8, 0 or 1, and `agent` (n,) uint8, 0 normal, 1 bacteria, 2 virus, 3 pneumonia
    whose agent is not recorded. The test labels are the folders' names (kaggle) or the npz's own (mnist28);
    a test set without labels has the truth of the file `truth` (image,pneumonia), or none.

    Raises:
        UserError: by file, key or row, for everything wrong with it.
    """
    variant = options.get("variant", KAGGLE)
    if variant not in (KAGGLE, MNIST):
        raise UserError(f"No variant named {variant!r}. {did_you_mean(variant, [KAGGLE, MNIST])}")
    return _read_mnist(mnist.npz_of(root), truth) if variant == MNIST else _read_films(root, truth)


def _in_telling_nothing(ids: Iterable[str]) -> list[str]:
    """Return the ids by their hash: by name, the order of the cases would tell the class."""
    return sorted(ids, key=lambda case: hashlib.sha256(case.encode()).digest())


def _read_films(root: Path, truth: Path | None) -> Dataset:
    of = {film.id: film for film in read_films(base_of(root))}
    films = [of[case] for case in _in_telling_nothing(of)]
    development = [film for film in films if not film.test]
    test = [film for film in films if film.test]
    labelled = all(film.pneumonia is not None for film in test)
    if truth is not None and labelled:
        raise UserError(f"The folders of {root} tell the test labels. Leave truth={truth} out.")
    answers = _labels(test) if labelled else _from_table(truth, [film.id for film in test])
    return Dataset(CaseSet(_cases(development), _labels(development)), CaseSet(_cases(test), answers))


def _cases(films: Sequence[Film]) -> tuple[Case, ...]:
    return tuple(Case(film.id, film.patient, (film.path,)) for film in films)


def _labels(films: Sequence[Film]) -> Arrays:
    return _truth([int(film.pneumonia or 0) for film in films], [film.agent for film in films])


def _truth(pneumonia: Sequence[int] | Array, agent: Sequence[int] | Array) -> Arrays:
    return {"pneumonia": np.array(pneumonia, dtype=np.uint8), "agent": np.array(agent, dtype=np.uint8)}


def _from_table(truth: Path | None, ids: Sequence[str]) -> Arrays | None:
    return None if truth is None else read_truth(truth, ids)


# --------------------------------------------------------------------------------------------- mnist
def _read_mnist(path: Path, truth: Path | None) -> Dataset:
    """Read PneumoniaMNIST; child and agent of an image are its film's, where `mnist.named` knows it."""
    arrays = mnist.read_arrays(path)
    digests = {case: mnist.digest(image) for case, image in mnist.rows(arrays, "images")}
    labels = {case: int(label) for case, label in mnist.rows(arrays, "labels")}
    groups = mnist.identical(digests)
    refuse(f"{path}: one image is two cases that exclude each other", _contradictions(groups, labels))
    of = _patients(digests, groups)
    cases = [Case(i, of[i], (path,), digests[i]) for i in _in_telling_nothing(digests)]
    development = tuple(case for case in cases if not case.id.startswith("test/"))
    test = tuple(case for case in cases if case.id.startswith("test/"))
    if truth is not None and "test_labels" in arrays:
        raise UserError(f"{path} holds test_labels. Leave truth={truth} out.")
    labelled = "test_labels" in arrays
    answers = _of_mnist(test, labels) if labelled else _from_table(truth, [case.id for case in test])
    return Dataset(CaseSet(development, _of_mnist(development, labels)), CaseSet(test, answers))


def _patients(digests: Mapping[str, str], groups: Sequence[Sequence[str]]) -> dict[str, str]:
    """Return the patient of every image: its child, or itself; identical images have one."""
    known = {case: mnist.named(content) for case, content in digests.items()}
    own = {case: named.patient if named else case for case, named in known.items()}
    head = merged_patients([[own[case] for case in group] for group in groups])
    return {case: head.get(patient, patient) for case, patient in own.items()}


def _of_mnist(cases: Sequence[Case], labels: Mapping[str, int]) -> Arrays:
    pneumonia = [labels[case.id] for case in cases]
    return _truth(pneumonia, [_agent(case, label) for case, label in zip(cases, pneumonia, strict=True)])


def _agent(case: Case, label: int) -> int:
    named = mnist.named(case.digest)
    if named is None or int(named.agent != NORMAL) != label:
        return UNKNOWN if label else NORMAL
    return named.agent


def _contradictions(groups: Sequence[Sequence[str]], labels: Mapping[str, int]) -> list[str]:
    problems = []
    for group in groups:
        names = " and ".join(group)
        if len({labels[case] for case in group if case in labels}) > 1:
            problems.append(f"{names} are one image with different labels")
        elif len({case.startswith("test/") for case in group}) > 1:
            problems.append(f"{names} are one image in the development set and in the test set")
    return problems


# -------------------------------------------------------------------------------------------- decode
def decode(case: Case, options: Mapping[str, Any]) -> dict[str, Array]:
    """Decode one film to a grey square: {"image": uint8 (1, size, size)}.

    `options["size"]` is the side in pixels (256). The pixels are those stored, without EXIF rotation. Both
    sides are brought to `size` (mean of the covered pixels when shrinking, else bilinear), as the source did:
    the proportions of a film differ by class, and bars that keep them would show which it is.

    Raises:
        UserError: a file that is no whole JPEG image, by name; an npz that has changed since it was read;
            an unknown option or an impossible size.
    """
    size = side_of(options, SIZE)
    image = _row(case) if case.digest else grey(case.files[0])
    return {"image": _resized(image, size)[None]}


def _row(case: Case) -> NDArray[np.uint8]:
    split, _, row = case.id.partition("/")
    images = mnist.read_arrays(case.files[0]).get(f"{split}_images", np.empty((0, mnist.SIDE, mnist.SIDE)))
    if int(row) >= len(images) or mnist.digest(images[int(row)]) != case.digest:
        raise UserError(f"{case.files[0]} has changed since it was read. Type the same again.")
    return np.asarray(images[int(row)], dtype=np.uint8)


def _resized(image: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    import cv2

    kind = cv2.INTER_AREA if min(image.shape) > size else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(image, (size, size), interpolation=kind), dtype=np.uint8)


def strata(truth: Arrays) -> NDArray[np.bool_]:
    """Return normal, bacteria, virus and pneumonia of an agent not recorded, (n, 4)."""
    return np.asarray(truth["agent"][:, None] == np.array([NORMAL, BACTERIA, VIRUS, UNKNOWN]))
