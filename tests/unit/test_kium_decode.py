"""Decoding of K-ium angiograms: whole, grey, square, never stretched."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from challenges.kium import data
from challenges.kium.data import VIEWS
from harness.contracts import Case
from harness.errors import UserError


def case_of(folder: Path, *images: np.ndarray) -> Case:
    """Return a case whose views are these images, stored almost without loss."""
    paths = tuple(folder / f"1001{view}.jpg" for view in VIEWS[: len(images)])
    for path, image in zip(paths, images, strict=True):
        cv2.imwrite(str(path), image, [cv2.IMWRITE_JPEG_QUALITY, 100])
    return Case("1001", "1001", paths)


def noise(seed: int = 0) -> np.ndarray:
    """Return an image of 64 x 64 random pixels."""
    return np.random.default_rng(seed).integers(0, 255, (64, 64), dtype=np.uint8)


def test_views_are_grey_squares_in_order(tmp_path: Path) -> None:
    """A case decodes to (8, size, size) uint8, 256 by default, the same every time."""
    case = case_of(tmp_path, *(noise(seed) for seed in range(8)))
    views = data.decode(case, {"size": 32})["views"]
    assert (views.shape, views.dtype) == ((8, 32, 32), np.uint8)
    assert (views == data.decode(case, {"size": 32})["views"]).all()
    assert data.decode(case, {})["views"].shape == (8, 256, 256)
    alone = data.decode(Case("1001", "1001", case.files[5:6]), {"size": 32})["views"][0]
    assert (views[5] == alone).all()


def test_an_image_is_padded_not_stretched(tmp_path: Path) -> None:
    """A disc stays a disc in a wide image and in a tall one, between bands of the border's grey."""
    wide = np.full((120, 240), 200, dtype=np.uint8)
    cv2.circle(wide, (120, 60), 40, 20, -1)
    views = data.decode(case_of(tmp_path, wide, wide.T), {"size": 60})["views"]
    for view in (views[0], views[1].T):
        dark = view < 110
        assert abs(int(dark.any(axis=0).sum()) - int(dark.any(axis=1).sum())) <= 1
        assert np.abs(view[:15].astype(int) - 200).max() <= 3
        assert np.abs(view[45:].astype(int) - 200).max() <= 3


def test_shrinking_keeps_the_mean(tmp_path: Path) -> None:
    """A pixel is the mean of what it covers: every fourth column light is a quarter of the light."""
    stripes = np.tile((np.arange(128) % 4 == 0).astype(np.uint8) * 200, (128, 1))
    view = data.decode(case_of(tmp_path, stripes), {"size": 32})["views"][0]
    assert np.abs(view.astype(int) - 50).max() <= 4


def test_a_small_image_is_enlarged(tmp_path: Path) -> None:
    """An image below the size is brought up to it."""
    ramp = np.tile(np.arange(0, 240, 15, dtype=np.uint8), (16, 1))
    view = data.decode(case_of(tmp_path, ramp), {"size": 64})["views"][0]
    assert (np.diff(view.mean(axis=0)) >= -0.5).all()
    assert view.mean() == pytest.approx(ramp.mean(), abs=3)


@pytest.mark.parametrize("share", [0.3, 0.6, 0.95, 0.999])
def test_a_truncated_image_is_refused_by_name(tmp_path: Path, share: float) -> None:
    """A file cut anywhere is refused, though the decoder would fill in grey."""
    case = case_of(tmp_path, noise())
    content = case.files[0].read_bytes()
    case.files[0].write_bytes(content[: int(len(content) * share)])
    with pytest.raises(UserError, match=r"1001LI-A\.jpg is not a whole JPEG image"):
        data.decode(case, {})


def test_a_thumbnail_does_not_hide_a_truncation(tmp_path: Path) -> None:
    """An end marker inside the header, as a preview image has, is not the end of the image."""
    case = case_of(tmp_path, noise())
    content = case.files[0].read_bytes()
    preview = b"\xff\xe1\x00\x0aExif\x00\x00\xff\xd9"
    case.files[0].write_bytes(content[:2] + preview + content[2:])
    assert data.decode(case, {"size": 64})["views"].shape == (1, 64, 64)
    case.files[0].write_bytes(content[:2] + preview + content[2:-100])
    with pytest.raises(UserError, match="not a whole JPEG"):
        data.decode(case, {})


def test_a_rotation_mark_is_not_followed(tmp_path: Path) -> None:
    """The pixels are those stored: an orientation in the header does not turn the view."""
    image = np.tile(np.arange(0, 240, 15, dtype=np.uint8), (16, 1))
    case = case_of(tmp_path, image)
    before = data.decode(case, {"size": 16})["views"]
    content = case.files[0].read_bytes()
    tiff = b"MM\x00*\x00\x00\x00\x08\x00\x01\x01\x12\x00\x03\x00\x00\x00\x01\x00\x06\x00\x00\x00\x00\x00\x00"
    exif = b"\xff\xe1" + (2 + 6 + len(tiff)).to_bytes(2, "big") + b"Exif\x00\x00" + tiff
    case.files[0].write_bytes(content[:2] + exif + content[2:])
    assert not (cv2.imread(str(case.files[0]), cv2.IMREAD_GRAYSCALE) == before[0]).all()
    assert (data.decode(case, {"size": 16})["views"] == before).all()


def test_a_progressive_image_is_read(tmp_path: Path) -> None:
    """A file of several scans is whole if it ends after the last."""
    image = noise()
    case = case_of(tmp_path, image)
    cv2.imwrite(str(case.files[0]), image, [cv2.IMWRITE_JPEG_PROGRESSIVE, 1, cv2.IMWRITE_JPEG_QUALITY, 100])
    view = data.decode(case, {"size": 64})["views"][0]
    assert np.abs(view.astype(int) - image).max() <= 3
    content = case.files[0].read_bytes()
    case.files[0].write_bytes(content[: content.rindex(b"\xff\xda")])
    with pytest.raises(UserError, match="not a whole JPEG"):
        data.decode(case, {})


def test_a_view_that_went_missing_is_refused(tmp_path: Path) -> None:
    """A file removed since it was listed is named."""
    with pytest.raises(UserError, match=r"gone\.jpg"):
        data.decode(Case("1001", "1001", (tmp_path / "gone.jpg",)), {})


@pytest.mark.parametrize(
    "options", [{"sized": 64}, {"size": 0}, {"size": 4096}, {"size": "64"}, {"size": True}]
)
def test_an_unknown_preparation_is_refused(tmp_path: Path, options: dict[str, object]) -> None:
    """A misspelt option or an impossible size is an error, never the default."""
    with pytest.raises(UserError, match="size"):
        data.decode(case_of(tmp_path, noise()), options)
