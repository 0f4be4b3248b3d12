"""Grad-CAM maps over their pictures in a real browser, from file://, without any script."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Opener, Visit
from tests.explained_fakes import page_of, site_of, store_flat, store_views, store_volume


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the page of an entry with a flat case, one of views and a volume."""
    folder = tmp_path_factory.mktemp("explained")
    store_flat(folder / "runs", position=0, right=False)
    store_views(folder / "runs", position=1)
    store_volume(folder / "runs", position=2, right=None)
    return page_of(site_of(folder))


def seen(visit: Visit, number: int = 0) -> np.ndarray:
    """Return what a reader sees of a picture, (rows, columns, blue green red)."""
    shot = visit.page.locator(".shot").nth(number).screenshot()
    found = cv2.imdecode(np.frombuffer(shot, dtype=np.uint8), cv2.IMREAD_COLOR)
    assert found is not None
    return np.asarray(found, dtype=int)


def coloured(picture: np.ndarray) -> np.ndarray:
    """Return where a picture is not grey."""
    return np.argwhere(np.ptp(picture, axis=2) > 60) / picture.shape[:2]


@pytest.mark.parametrize("script", [True, False])
def test_a_map_lies_on_its_picture_and_fades(page: Path, visit: Opener, script: bool) -> None:
    """It is where it is strong; it can be taken away and made full, with scripts and without."""
    found = visit(page, script=script)
    middle = coloured(seen(found))
    found.page.get_by_label("Off").check(force=True)
    off = coloured(seen(found))
    found.page.get_by_label("Full").check(force=True)
    full = coloured(seen(found))

    assert np.allclose(middle.mean(axis=0), (8.5 / 40, 32.5 / 40), atol=0.05)
    assert len(off) == 0
    assert len(full) > len(middle) > 100
    found.check()


@pytest.mark.parametrize(("width", "dark"), [(1280, False), (390, True)])
def test_every_picture_is_there_in_its_own_shape(page: Path, visit: Opener, width: int, dark: bool) -> None:
    """Twelve pictures with their maps exactly on them, described in words; nothing scrolls sideways."""
    found = visit(page, width=width, dark=dark)
    pictures = found.page.locator(".shot img")
    for number in range(pictures.count()):
        pictures.nth(number).scroll_into_view_if_needed()
        expect(pictures.nth(number)).to_have_js_property("complete", value=True)
    sizes = pictures.evaluate_all(
        "all => all.map(i => [i.naturalWidth, i.clientWidth, i.clientHeight, i.alt, i.className])"
    )

    assert len(sizes) == 24
    assert all(natural > 0 for natural, *_ in sizes)
    assert all(image[1:3] == heat[1:3] for image, heat in zip(sizes[::2], sizes[1::2], strict=True))
    assert all(image[3] and not heat[3] for image, heat in zip(sizes[::2], sizes[1::2], strict=True))
    assert found.overflow() == 0
    found.check()


def test_the_keyboard_reaches_the_map(page: Path, visit: Opener) -> None:
    """Arrow keys choose how strong it is."""
    found = visit(page)
    found.page.get_by_label("Middle").focus()
    found.page.keyboard.press("ArrowRight")
    expect(found.page.get_by_label("Full")).to_be_checked()
    expect(found.page.locator(".heat").first).to_have_css("opacity", "1")
    found.check()
