"""The slice viewer in a real browser, from file://: every pixel asked about is seen in a screenshot."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from playwright.sync_api import Browser, Locator, expect

from tests.browser.conftest import Opener, Visit, rank_scripts
from tests.viewer_fakes import BRAIN, BRIGHT, SPACING, index_of, site_with, viewer_in

COLOURS = {1: (76, 141, 255), 2: (95, 211, 95), 3: (255, 74, 61)}
PLANES = ("Axial", "Coronal", "Sagittal")
HOSTILE = "<img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the page of an entry with three cases."""
    folder = tmp_path_factory.mktemp("viewer")
    site = site_with(folder, [viewer_in(folder / "run")])
    return next(site.glob("kium/*/entries/*.html"))


def opened(visit: Opener, page: Path, **words: object) -> Visit:
    """Open an entry's page and wait until its first case is drawn."""
    seen = visit(page, **words)
    expect(seen.page.locator(".readout")).to_contain_text("Voxel")
    return seen


def canvas(seen: Visit, plane: str) -> Locator:
    """Return a pane's canvas."""
    return seen.page.locator(".pane", has_text=plane).locator("canvas")


def slider(seen: Visit, plane: str) -> Locator:
    """Return a pane's slider."""
    return seen.page.get_by_role("slider", name=f"{plane} slice")


def pixels(seen: Visit, plane: str) -> np.ndarray:
    """Return what a reader sees of a pane, (rows, columns, RGB), without letters and edges."""
    seen.page.evaluate("document.querySelectorAll('.slice span').forEach(s => { s.style.opacity = 0 })")
    shot = cv2.imdecode(np.frombuffer(canvas(seen, plane).screenshot(), dtype=np.uint8), cv2.IMREAD_COLOR)
    assert shot is not None
    return np.asarray(shot[4:-4, 4:-4, ::-1], dtype=int)


def tint(picture: np.ndarray) -> int:
    """Return how many pixels are coloured, not grey."""
    return int((np.ptp(picture, axis=2) > 24).sum())


def like(picture: np.ndarray, label: int) -> int:
    """Return how many pixels have about the full colour of a label, as its outline has."""
    return int((np.abs(picture - COLOURS[label]).max(axis=2) < 30).sum())


def untick(seen: Visit, *, cross: bool = True) -> None:
    """Hide both label maps and the cross hairs."""
    for side in ("Truth", "Prediction"):
        seen.page.get_by_role("button", name=side).click()
    if cross:
        seen.page.get_by_label("Cross hairs").uncheck()


def choose_best(seen: Visit) -> None:
    """Choose the case in which truth and prediction are the same, and wait until it is there."""
    seen.page.locator("label", has_text="Best").click()
    expect(seen.page.locator(".case:visible h3")).to_have_text("Best: case-1", use_inner_text=True)
    expect(slider(seen, "Sagittal")).to_have_attribute("max", "23")


def set_slice(seen: Visit, plane: str, number: int) -> None:
    """Move a slider to one of the file's slices."""
    slider(seen, plane).fill(str(number))
    expect(seen.page.locator(".pane", has_text=plane).locator("output")).to_have_text(str(number))
    seen.page.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")


def test_the_first_case_is_drawn_from_files_alone(page: Path, visit: Opener) -> None:
    """One picture and one label file are asked for, all by file://, and nothing complains."""
    seen = opened(visit, page)
    names = [Path(url).name for url in seen.requests]
    assert sorted(name for name in names if not name.endswith(".webp")) == sorted(
        [page.name, "site.css", "look.css", "look.js", "viewer.css", "viewer.js", "0.js", *rank_scripts(page)]
    )
    assert sum(name.endswith(".webp") for name in names) == 1
    assert all(tint(pixels(seen, plane)) > 200 for plane in PLANES)
    assert all(int(pixels(seen, plane).max()) > 150 for plane in PLANES)
    expect(seen.page.locator("noscript img")).to_have_count(0)
    seen.check()


def test_every_plane_shows_the_bright_block_where_it_lies(page: Path, visit: Opener) -> None:
    """In the slices through it, it is bright at its place in mm from the patient's right, front and top."""
    seen = opened(visit, page)
    choose_best(seen)
    untick(seen)
    for axis, plane in ((2, "Axial"), (1, "Coronal"), (0, "Sagittal")):
        set_slice(seen, plane, BRIGHT[axis].start + 1)
    shares = []
    for axis in range(3):
        first, last = BRIGHT[axis].start - BRAIN[axis].start, BRIGHT[axis].stop - BRAIN[axis].start
        n = BRAIN[axis].stop - BRAIN[axis].start
        shares.append((first / n, last / n) if axis < 2 else (1 - last / n, 1 - first / n))
    for plane, across, down in (("Axial", 0, 1), ("Coronal", 0, 2), ("Sagittal", 1, 2)):
        picture = pixels(seen, plane)
        bright = np.argwhere(picture.min(axis=2) > 160) / picture.shape[:2]
        assert len(bright) > 50, plane
        assert np.allclose(bright.min(axis=0), [shares[down][0], shares[across][0]], atol=0.05), plane
        assert np.allclose(bright.max(axis=0), [shares[down][1], shares[across][1]], atol=0.05), plane
    set_slice(seen, "Axial", BRIGHT[2].stop + 1)
    assert int(pixels(seen, "Axial").max()) < 120
    seen.check()


@pytest.mark.parametrize("plane", PLANES)
def test_a_slider_moves_its_plane(page: Path, visit: Opener, plane: str) -> None:
    """By mouse or keyboard the picture and the number change, and the voxel that is read out."""
    seen = opened(visit, page)
    before, words = pixels(seen, plane), seen.page.locator(".readout").inner_text()
    number = seen.page.locator(".pane", has_text=plane).locator("output")
    first = int(number.inner_text())
    slider(seen, plane).focus()
    seen.page.keyboard.press("ArrowRight")
    expect(number).to_have_text(str(first + 1))
    seen.page.keyboard.press("Home")
    expect(number).to_have_text(slider(seen, plane).get_attribute("min") or "")
    expect(seen.page.locator(".readout")).not_to_have_text(words)
    assert not np.array_equal(before, pixels(seen, plane))
    seen.check()


def test_toggles_draw_and_clear(page: Path, visit: Opener) -> None:
    """Without label maps all is grey; each box draws its own label's outline or fill, and no other."""
    seen = opened(visit, page)
    choose_best(seen)
    untick(seen)
    grey = {plane: pixels(seen, plane) for plane in PLANES}
    assert all(tint(picture) == 0 for picture in grey.values())
    for label, name in ((1, "Necrotic core"), (2, "Oedema"), (3, "Enhancing")):
        for side in ("Truth", "Prediction"):
            box = seen.page.get_by_label(f"{side}: {name}")
            box.check()
            for plane in PLANES:
                picture = pixels(seen, plane)
                assert tint(picture) > 30, (side, name, plane)
                outlined = {other for other in COLOURS if like(picture, other) > 10}
                assert outlined == ({label} if side == "Truth" else set()), (side, name, plane)
            box.uncheck()
    for plane in PLANES:
        assert np.array_equal(grey[plane], pixels(seen, plane))
    seen.check()


def test_keys_hide_and_show_a_side(page: Path, visit: Opener) -> None:
    """T and P within the viewer, the buttons too: all on, then all off; with a modifier nothing."""
    seen = opened(visit, page)
    boxes = {side: seen.page.locator(f"input[data-side='{side}']") for side in ("truth", "prediction")}
    slider(seen, "Axial").focus()
    for key, side, other in (("t", "truth", "prediction"), ("p", "prediction", "truth")):
        seen.page.keyboard.press(key)
        assert [box.is_checked() for box in boxes[side].all()] == [False] * 3
        assert [box.is_checked() for box in boxes[other].all()] == [True] * 3
        seen.page.keyboard.press(f"Control+Shift+{key}")
        boxes[side].first.check()
        seen.page.keyboard.press(key)
        assert [box.is_checked() for box in boxes[side].all()] == [True] * 3
    seen.check()


def test_a_click_goes_to_a_voxel(page: Path, visit: Opener) -> None:
    """The other planes follow, the voxel is numbered as in the file, and its labels are named."""
    seen = opened(visit, page)
    choose_best(seen)
    box = canvas(seen, "Axial").bounding_box()
    assert box is not None
    share = [(15.5 - 2) / 22, (12.5 - 3) / 27]
    canvas(seen, "Axial").click(position={"x": share[0] * box["width"], "y": share[1] * box["height"]})
    slices = [slider(seen, plane).input_value() for plane in ("Sagittal", "Coronal")]
    set_slice(seen, "Axial", 9)
    words = "Voxel 15, 12, 9: truth Necrotic core, prediction Necrotic core"
    expect(seen.page.locator(".readout")).to_have_text(words, use_inner_text=True)
    assert slices == ["15", "12"]
    canvas(seen, "Coronal").click(position={"x": 2, "y": 2})
    expect(seen.page.locator(".readout")).to_have_text(
        "Voxel 2, 12, 15: truth no tumour, prediction no tumour",
        use_inner_text=True,
    )
    seen.check()


def test_dragging_moves_on_and_leaving_the_pane_stays_inside(page: Path, visit: Opener) -> None:
    """A drag beyond the edge ends at the edge."""
    seen = opened(visit, page)
    canvas(seen, "Sagittal").scroll_into_view_if_needed()
    box = canvas(seen, "Sagittal").bounding_box()
    assert box is not None
    seen.page.mouse.move(box["x"] + 20, box["y"] + 20)
    seen.page.mouse.down()
    seen.page.mouse.move(box["x"] - 300, box["y"] - 300, steps=4)
    expect(slider(seen, "Coronal")).to_have_value(slider(seen, "Coronal").get_attribute("min") or "")
    expect(slider(seen, "Axial")).to_have_value(slider(seen, "Axial").get_attribute("max") or "")
    seen.page.mouse.up()
    seen.check()


def test_a_finger_goes_to_a_voxel(page: Path, browser: Browser) -> None:
    """A tap on a phone moves the other planes."""
    context = browser.new_context(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    seen = Visit(context.new_page())
    seen.page.goto(page.as_uri())
    expect(seen.page.locator(".readout")).to_contain_text("Voxel")
    before = [slider(seen, plane).input_value() for plane in PLANES]
    canvas(seen, "Axial").tap(position={"x": 30, "y": 40})
    expect(slider(seen, "Sagittal")).not_to_have_value(before[2])
    expect(slider(seen, "Coronal")).not_to_have_value(before[1])
    expect(slider(seen, "Axial")).to_have_value(before[0])
    context.close()


def test_case_and_picture_are_chosen_by_mouse_and_keyboard(page: Path, visit: Opener) -> None:
    """Each choice loads its own files only; the scores and downloads are those of the case."""
    seen = opened(visit, page)
    first = pixels(seen, "Axial")
    seen.page.locator("label", has_text="T1ce").click()
    expect(seen.page.get_by_role("radio", name="T1ce")).to_be_checked()
    seen.page.get_by_role("radio", name="Worst").focus()
    seen.page.keyboard.press("ArrowRight")
    expect(seen.page.locator(".case:visible h3")).to_have_text("Median: case-2", use_inner_text=True)
    expect(seen.page.locator(".case:visible tbody td").nth(1)).to_have_text("0.800")
    assert seen.page.locator(".case:visible .downloads a").count() == 2
    expect(seen.page.get_by_role("radio", name="T1ce")).to_be_checked()
    seen.page.wait_for_timeout(200)
    assert not np.array_equal(first, pixels(seen, "Axial"))
    loaded = [Path(url).name for url in seen.requests]
    scripts = ["look.js", *rank_scripts(page), "viewer.js", "0.js", "1.js"]
    assert [name for name in loaded if name.endswith(".js")] == scripts
    assert sum(name.endswith(".webp") for name in loaded) == 3
    seen.check()


def test_planes_have_the_patients_proportions_and_directions(page: Path, visit: Opener) -> None:
    """Millimetres, not voxels, make the shape of a pane; letters stand at its four ends."""
    seen = opened(visit, page)
    mm = [n * length for n, length in zip((23, 27, 15), SPACING, strict=True)]
    letters = {"Axial": "RALP", "Coronal": "RSLI", "Sagittal": "ASPI"}
    for plane, (across, down) in zip(PLANES, ((0, 1), (0, 2), (1, 2)), strict=True):
        box = canvas(seen, plane).bounding_box()
        assert box is not None
        assert box["width"] / box["height"] == pytest.approx(mm[across] / mm[down], rel=0.02)
        ends = [
            seen.page.locator(".pane", has_text=plane).locator(f".slice .{end}").inner_text()
            for end in ("left", "top", "right", "bottom")
        ]
        assert "".join(ends) == letters[plane]


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_the_viewer_fits_every_width(page: Path, visit: Opener, dark: bool) -> None:
    """From a phone to a wide desktop nothing scrolls sideways, and every pane is in view and not tiny."""
    seen = opened(visit, page, dark=dark)
    for width in (320, 390, 768, 1000, 1280, 1920):
        seen.page.set_viewport_size({"width": width, "height": 900})
        assert seen.overflow() <= 0, width
        for plane in PLANES:
            box = canvas(seen, plane).bounding_box()
            assert box is not None
            assert box["width"] > 110
            assert box["x"] >= 0
            assert box["x"] + box["width"] <= width
    seen.check()


def test_without_scripts_a_picture_of_each_case_is_there(page: Path, visit: Opener) -> None:
    """Pictures, scores, downloads and a legend are readable; no control that would do nothing is shown."""
    seen = visit(page, script=False)
    for picture in seen.page.locator(".case img").all():
        picture.scroll_into_view_if_needed()
        assert picture.evaluate("picture => picture.complete && picture.naturalWidth") > 100
    assert seen.page.locator(".case img").count() == 3
    expect(seen.page.locator(".case figcaption").first).to_contain_text("necrotic core blue, oedema green")
    expect(seen.page.locator(".case table").last).to_be_visible()
    for control in (".choices", ".panes", ".overlay"):
        expect(seen.page.locator(control)).to_be_hidden()


def test_hostile_words_do_nothing(tmp_path: Path, visit: Opener) -> None:
    """Ids, roles and titles of an attacker are read, not run, also where the script writes them."""
    viewer = viewer_in(tmp_path / "run", names=[HOSTILE, "b", "c"])
    content = (viewer / "viewer.json").read_text(encoding="utf-8")
    for word in ('"Worst', '"T1"', '"Necrotic core"', '"worst"'):
        content = content.replace(word, f'"{HOSTILE}"' if word.endswith('"') else f'"{HOSTILE}Worst')
    (viewer / "viewer.json").write_text(content, encoding="utf-8")
    assert index_of(viewer)["labels"][0]["name"] == HOSTILE
    seen = opened(visit, next(site_with(tmp_path, [viewer]).glob("kium/*/entries/*.html")))
    expect(seen.page.locator(".case:visible h3")).to_contain_text(f": {HOSTILE}")
    for plane, number in (("Sagittal", 15), ("Coronal", 12), ("Axial", 9)):
        set_slice(seen, plane, number)
    expect(seen.page.locator(".readout")).to_contain_text(HOSTILE)
    assert seen.page.locator("main img").count() == 0
    seen.check()


@pytest.mark.parametrize(
    "gone", [lambda page: page.with_suffix("") / "1.js", lambda page: page.parent.parent / "viewer"]
)
def test_a_case_whose_files_are_gone_is_said_to_be_so(
    page: Path, visit: Opener, tmp_path: Path, gone: Callable[[Path], Path]
) -> None:
    """The panes are emptied, so that no other case's picture stands there, and the reason is given."""
    site = page.parents[3]
    copy = tmp_path / "site"
    shutil.copytree(site, copy)
    moved = copy / page.relative_to(site)
    seen = opened(visit, moved)
    gone(moved).rename(tmp_path / "gone")
    seen.page.locator("label", has_text="Median").click()
    expect(seen.page.locator(".readout")).to_contain_text("This case cannot be shown")
    assert canvas(seen, "Axial").evaluate("canvas => canvas.width") == 0
    (tmp_path / "gone").rename(gone(moved))
    seen.page.locator("label", has_text="Worst").click()
    expect(seen.page.locator(".readout")).to_contain_text("Voxel")


def test_the_newest_choice_is_drawn_whatever_loads_first(page: Path, visit: Opener) -> None:
    """Clicks faster than files: in the end the panes, the scores and the choice agree."""
    seen = opened(visit, page)
    script = """() => { for (const n of [1, 2, 0, 2, 1, 2]) {
        const box = document.querySelectorAll("input[name='case']")[n];
        box.checked = true; box.dispatchEvent(new Event("change", {bubbles: true})); } }"""
    seen.page.evaluate(script)
    expect(seen.page.locator(".case:visible h3")).to_have_text("Best: case-1", use_inner_text=True)
    expect(slider(seen, "Sagittal")).to_have_attribute("max", "23")
    seen.check()
