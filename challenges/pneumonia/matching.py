"""Find which film of chest_xray/ each image of PneumoniaMNIST is: `mnist_films.csv` is made by this.

    python -m challenges.pneumonia.matching FOLDER_WITH_BOTH

PneumoniaMNIST has no names, so nothing in it tells which images are of one child. Its images are the central
square of a film at 28 x 28. A film in the folder may have been stretched, so its proportions are not known:
it is cut to central parts of every width and height, and the best correlation counts. An image is taken for a
film if that is high, and clearly higher than that of every other child's films of the class.
"""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from challenges.pneumonia import mnist
from challenges.pneumonia.films import Film, base_of, read_films
from harness.errors import UserError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Rows = NDArray[np.float32]

NEAREST = 0.95
"""Lowest correlation of an image with its film."""
AHEAD = 0.02
"""Least distance to the correlation with any film of another child."""
PARTS = np.arange(0.44, 1.001, 0.01)
"""Shares of a side that the cut may keep."""


def match(root: Path) -> Iterator[tuple[str, str, str]]:
    """Yield id, digest and film id of every image of the npz in `root` whose film is found.

    Every image is compared with the films of its class in both sets: a match in the wrong set would be a
    false one, and its number tells how many false ones to expect.
    """
    arrays = mnist.read_arrays(mnist.npz_of(root))
    images, labels = dict(mnist.rows(arrays, "images")), dict(mnist.rows(arrays, "labels"))
    films = read_films(base_of(root))
    for label in (0, 1):
        ids = [case for case, found in labels.items() if found == label]
        yield from _match_class(
            {case: images[case] for case in ids}, [f for f in films if f.pneumonia == label]
        )


def _match_class(
    images: dict[str, NDArray[np.uint8]], films: Sequence[Film]
) -> Iterator[tuple[str, str, str]]:
    ids = list(images)
    if not ids or not films:
        return
    wanted = _normed(np.stack([images[case] for case in ids]))
    found = np.stack([(_cuts(film.path) @ wanted.T).max(axis=0) for film in films], axis=1)
    patients = np.array([film.patient for film in films])
    for case, row in zip(ids, found, strict=True):
        best = films[int(row.argmax())]
        others = row[patients != best.patient]
        if row.max() >= NEAREST and row.max() - others.max(initial=-1) >= AHEAD:
            yield case, mnist.digest(images[case]), best.id


def _cuts(path: Path) -> Rows:
    """Return the film's central parts, each as a row of 784 pixels."""
    import cv2

    film = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE | cv2.IMREAD_IGNORE_ORIENTATION)
    if film is None:
        raise UserError(f"{path} is not a whole JPEG image; copy it again from the organisers' files.")
    square = cv2.resize(film, (224, 224), interpolation=cv2.INTER_AREA).astype(np.float32)
    parts = [(share, 1.0) for share in PARTS] + [(1.0, share) for share in PARTS[:-1]]
    return _normed(np.stack([_cut(square, *part) for part in parts]))


def _cut(square: NDArray[np.float32], wide: float, high: float) -> NDArray[np.float32]:
    import cv2

    side = len(square)
    steps = np.array([[wide, 0, side * (1 - wide) / 2], [0, high, side * (1 - high) / 2]], dtype=np.float32)
    part = cv2.warpAffine(square, steps, (side, side), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
    return np.asarray(
        cv2.resize(part, (mnist.SIDE, mnist.SIDE), interpolation=cv2.INTER_AREA), dtype=np.float32
    )


def _normed(images: NDArray[np.generic]) -> Rows:
    """Return one row an image, of mean 0 and length 1, so that products are correlations."""
    rows = images.reshape(len(images), -1).astype(np.float32)
    rows -= rows.mean(axis=1, keepdims=True)
    return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-6))


def main(root: Path, target: Path) -> None:
    """Write the table, one row for each content that was found, and say how many there were."""
    found = list(match(root))
    wrong = [case for case, _, film in found if case.startswith("test/") != film.startswith("test/")]
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["digest", "film"])
    writer.writerows(sorted({digest[: mnist.SHORT]: film for _, digest, film in found}.items()))
    target.write_text(text.getvalue(), encoding="utf-8", newline="")
    print(f"{len(found)} images matched, {len(wrong)} of them with a film of the other set: {wrong}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(__file__).with_name(mnist.TABLE))
