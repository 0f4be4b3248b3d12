"""Figures of a whole board from plain arrays."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leaderboard.cost import cost_view
from leaderboard.drawings import pareto_front, rank_stability, scatter, significance_matrix
from leaderboard.render import _environment
from leaderboard.rows import columns_of
from leaderboard.standings import standings
from leaderboard.wording import korean
from tests.leaderboard_fakes import HOSTILE, card, record, sweep, tuned

POINT = st.tuples(st.integers(1, 8), st.integers(0, 8))


@settings(max_examples=80, deadline=None)
@given(st.lists(POINT, min_size=1, max_size=12), st.booleans())
def test_the_front_holds_exactly_those_that_no_other_beats(
    points: list[tuple[int, int]], higher: bool
) -> None:
    """By the definition, point by point, in both directions."""
    costs, scores = zip(*points, strict=True)
    sign = 1 if higher else -1

    def beaten(cost: int, score: int) -> bool:
        return any(
            (c <= cost and sign * s > sign * score) or (c < cost and sign * s >= sign * score)
            for c, s in points
        )

    wanted = {place for place, point in enumerate(points) if not beaten(*point)}
    found = pareto_front(costs, scores, higher)
    assert set(found) == wanted
    assert [costs[place] for place in found] == sorted(costs[place] for place in found)


def test_points_lie_where_their_numbers_are() -> None:
    """A tenfold cost is one step of a logarithmic axis; a better score is higher up."""
    names = [str(k) for k in range(3)]
    drawing = scatter([1.0, 10.0, 100.0], [0.5, 0.7, 0.9], names, names, names, (0, 1, 2), (0.0, 1.0))
    first, second, third = drawing.front
    assert second.x - first.x == pytest.approx(third.x - second.x, abs=0.11)
    assert first.y > second.y > third.y
    assert drawing.path.startswith(f"M{first.x:g} {first.y:g}H{second.x:g}V{second.y:g}")
    assert [text for _, text in drawing.x_marks] == ["1", "2", "5", "10", "20", "50", "100"]
    assert drawing.points == ()


def test_the_cost_of_a_tuned_entry_holds_its_search_and_files_cost_nothing() -> None:
    """Only entries that were trained here are drawn; one of them alone is no figure."""
    runs = [
        record("a", 0.7),
        tuned("b", sweep(), test=0.8, team="Tuners"),
        record("c", 0.9, None, route="file"),
    ]
    standing = standings(runs, card())
    view = cost_view(standing, columns_of(standing), "AUROC")
    assert view is not None
    assert [row.team for row in view.rows] == ["Aneurysm Imaging Lab", "Tuners"]
    assert [row.time for row in view.rows] == ["54 min", "2.6 h"]
    alone = standings(runs[2:] + runs[:1], card())
    assert cost_view(alone, columns_of(alone), "AUROC") is None


def test_a_circles_area_is_the_share_of_resamples() -> None:
    """Twice the share is 1.41 times the radius; a share that nobody could see is not drawn."""
    view = rank_stability([[0.5, 0.25, 0.25], [0.25, 0.75, 0.0], [0.25, 0.0, 0.75]], ["A", "B", "C"])
    assert len(view.circles) == 7
    half, quarter = view.circles[0], view.circles[1]
    assert half.size / quarter.size == pytest.approx(2**0.5, abs=0.03)
    assert quarter.x - half.x == pytest.approx(22.0)
    assert (half.words, korean(half.words)) == (
        "A: rank 1 in 50.0 % of resamples",
        "A: 재표본의 50.0%에서 1위",
    )


def test_a_cells_colour_says_how_small_p_is() -> None:
    """Four levels, and a fifth for a pair that was not compared; nothing on the diagonal."""
    p = np.array([[1, 0.0004, 0.02], [0.0004, 1, np.nan], [0.02, 0.7, 1]])
    view = significance_matrix(p, ["A", "B", "C"])
    assert [cell.style for cell in view.cells] == ["p0", "p2", "p0", "unknown", "p2", "p3"]
    assert [cell.words for cell in view.cells[:2]] == ["A against B: p = < 0.001", "A against C: p = 0.020"]
    assert view.cells[3].words.endswith("not compared")


@pytest.mark.parametrize("bad", [[[0.5, 0.5]], [[0.5], [0.5]], [[2.0, 0], [0, 1]]])
def test_arrays_of_another_shape_or_size_are_refused(bad: list[list[float]]) -> None:
    """A figure never drops or invents an entry."""
    with pytest.raises(ValueError, match=r"names for|outside"):
        significance_matrix(bad, ["A", "B"])


def test_a_share_outside_zero_to_one_is_refused() -> None:
    """Percent are no shares."""
    with pytest.raises(ValueError, match="outside 0 to 1"):
        rank_stability([[50.0, 50.0]], ["A"])
    with pytest.raises(ValueError, match="1 names"):
        rank_stability([[0.5, 0.5], [0.5, 0.5]], ["A"])


def test_the_figures_are_svg_without_markup_of_names() -> None:
    """Whatever a team is called, the figure holds its own elements only."""
    n = len(HOSTILE)
    macros = _environment().get_template("drawings.html").module
    html = str(macros.stability(rank_stability(np.eye(n), HOSTILE), "400", n + 1))  # type: ignore[attr-defined]
    html += str(macros.significance(significance_matrix(np.ones((n, n)), HOSTILE)))  # type: ignore[attr-defined]
    assert html.count("<circle") == n
    assert html.count("<rect") == n * (n - 1) + 4  # and the legend
    assert not any(word in html for word in ("<script", "<img", "\u202e", "onmouseover='"))
