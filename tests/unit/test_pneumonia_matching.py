"""The films of PneumoniaMNIST's images, found by correlation."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from challenges.pneumonia import data, matching, mnist, phantom
from challenges.pneumonia.films import base_of, read_films
from tests.real import real_data


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Phantom films and the same ones as PneumoniaMNIST."""
    root = tmp_path_factory.mktemp("films") / "data"
    phantom.write(root, size="smoke")
    return root


def central_square(path: Path) -> np.ndarray:
    """Return a film as PneumoniaMNIST would have it."""
    import cv2

    film = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    side, left = film.shape[0], (film.shape[1] - film.shape[0]) // 2
    return np.asarray(cv2.resize(film[:, left : left + side], (28, 28), interpolation=cv2.INTER_AREA))


def test_an_image_is_found_among_the_films(drawn: Path) -> None:
    """Every match is the film that the image was cut from, though its proportions are not known."""
    found = list(matching.match(drawn))
    paths = {film.id: film.path for film in read_films(base_of(drawn))}
    images = dict(mnist.rows(mnist.read_arrays(drawn / "pneumoniamnist.npz"), "images"))
    assert len(found) > 25
    for case, content, film in found:
        assert mnist.digest(images[case]) == content
        # The film went through a JPEG in between.
        assert np.abs(images[case].astype(int) - central_square(paths[film])).mean() < 3
        assert case.startswith("test/") == film.startswith("test/")


def test_two_children_of_one_film_leave_the_image_to_neither(drawn: Path) -> None:
    """What cannot be told apart is not matched; two films of one child can stay so."""
    films = [film for film in read_films(base_of(drawn)) if film.pneumonia]
    image = central_square(films[0].path)
    twin = replace(films[0], id="train/twin", patient="another child")
    sibling = replace(films[0], id="train/sibling")
    assert len(list(matching._match_class({"test/00000": image}, films))) == 1
    assert len(list(matching._match_class({"test/00000": image}, [*films, sibling]))) == 1
    assert list(matching._match_class({"test/00000": image}, [*films, twin])) == []


def test_what_is_no_film_is_not_matched(drawn: Path) -> None:
    """Noise and an even grey correlate with nothing; neither do images without films."""
    films = read_films(base_of(drawn))
    noise = np.random.default_rng(0).integers(0, 255, (28, 28), dtype=np.uint8)
    grey = np.full((28, 28), 90, dtype=np.uint8)
    assert list(matching._match_class({"test/00000": noise, "test/00001": grey}, films)) == []
    assert list(matching._match_class({"test/00000": noise}, [])) == []
    assert list(matching._match_class({}, films)) == []


def test_the_table_is_written_for_the_images_that_were_found(
    drawn: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A row for each content, and a word on matches in the wrong set."""
    matching.main(drawn, tmp_path / "table.csv")
    with (tmp_path / "table.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    found = {content[: mnist.SHORT]: film for _, content, film in matching.match(drawn)}
    assert {row["digest"]: row["film"] for row in rows} == found
    assert f"{len(found)} images matched, 0 of them with a film of the other set" in capsys.readouterr().out


def test_the_table_is_what_the_real_films_give() -> None:
    """Among every fourth healthy test film: its image if the table names it, and no image of a film left out."""
    root = real_data("pneumonia")
    arrays = mnist.read_arrays(mnist.npz_of(root))
    healthy = np.flatnonzero(arrays["test_labels"] == 0)
    images = {f"test/{row:05}": arrays["test_images"][row] for row in healthy}
    films = [film for film in read_films(base_of(root)) if film.test and film.pneumonia == 0][::4]
    found = {case: film for case, _, film in matching._match_class(images, films)}
    table = {case: mnist.films().get(mnist.digest(image)[: mnist.SHORT]) for case, image in images.items()}
    here = {film.id for film in films}
    assert found == {case: film for case, film in table.items() if film in here}
    assert len(found) > 30


def test_a_third_of_the_healthy_test_images_are_other_films() -> None:
    """67 of PneumoniaMNIST's 234 are no film of the folder, and 67 of its files are not in it, one of them a copy."""
    root = real_data("pneumonia")
    dataset = data.read(root, None, {"variant": "mnist28"})
    labels = (dataset.test.truth or {})["pneumonia"]
    unknown = [mnist.named(case.digest) is None for case in dataset.test.cases]
    films = [film for film in read_films(base_of(root)) if film.test]
    unseen = [film for film in films if film.id not in set(mnist.films().values())]
    assert sum(lost and label == 0 for lost, label in zip(unknown, labels, strict=True)) == 67
    assert len([film for film in unseen if film.pneumonia == 0]) == 67
    assert sum(lost and label == 1 for lost, label in zip(unknown, labels, strict=True)) == 1
