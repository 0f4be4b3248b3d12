"""Cox's model against scikit-survival, ties and unknown values included."""

from __future__ import annotations

import numpy as np
import pytest
from sksurv.linear_model import CoxnetSurvivalAnalysis, CoxPHSurvivalAnalysis

from harness.survival.cox import Cox, Deaths, elastic_net, path, ridge
from harness.survival.design import Design
from harness.survival.followup import FollowUp
from tests.survival_fakes import surv


def cases(seed: int, *, ties: bool, n: int = 150, features: int = 6) -> tuple[np.ndarray, FollowUp]:
    """Return features and a follow-up that depends on the first two."""
    draw = np.random.default_rng(seed)
    x = draw.normal(3.0, 1.0, size=(n, features))
    time = 40 * draw.exponential(size=n) * np.exp(0.4 * x[:, 1] - 0.6 * x[:, 0] + 0.6) + 0.1
    return x, FollowUp.of(np.ceil(time) if ties else time, draw.random(n) < 0.6)


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("penalty", [0.0, 1.0, 30.0])
def test_ridge_is_scikit_survivals_with_efrons_ties(ties: bool, penalty: float) -> None:
    """Coefficients to 1e-9."""
    x, truth = cases(1, ties=ties)
    oracle = CoxPHSurvivalAnalysis(alpha=penalty, ties="efron", n_iter=200, tol=1e-13).fit(x, surv(truth))

    assert ridge(x, truth, penalty).coefficients == pytest.approx(oracle.coef_, abs=1e-9)


def test_curves_are_scikit_survivals() -> None:
    """With Breslow's baseline, at and between deaths."""
    x, truth = cases(2, ties=True)
    model = ridge(x, truth, 1.0)
    oracle = CoxPHSurvivalAnalysis(alpha=1.0, ties="efron", n_iter=200, tol=1e-13).fit(x, surv(truth))
    at = np.array([1.0, 7.5, 30.0, 60.0])
    expected = [curve(at) for curve in oracle.predict_survival_function(x[:9])]

    assert model.survival(x[:9], at) == pytest.approx(np.array(expected), abs=1e-9)


@pytest.mark.parametrize("mix", [0.2, 0.5, 1.0])
def test_the_elastic_net_is_scikit_survivals(mix: float) -> None:
    """To 1e-5 without ties; what is 0 there is 0 here."""
    x, truth = cases(3, ties=False)
    for penalty in path(x, truth, mix, number=4, least=0.1)[1:]:
        found = elastic_net(x, truth, penalty, mix).coefficients
        oracle = CoxnetSurvivalAnalysis(alphas=[penalty], l1_ratio=mix, tol=1e-12, max_iter=10**6)
        expected = oracle.fit(x, surv(truth)).coef_[:, 0]
        assert found == pytest.approx(expected, abs=1e-5)
        assert (np.abs(found) < 1e-12).tolist() == (np.abs(expected) < 1e-12).tolist()


def test_the_first_penalty_of_the_path_leaves_nothing() -> None:
    """And a little less leaves something."""
    x, truth = cases(4, ties=True)
    largest = path(x, truth, 1.0)[0]

    assert not elastic_net(x, truth, largest * 1.001, 1.0).coefficients.any()
    assert elastic_net(x, truth, largest * 0.95, 1.0).coefficients.any()


def test_the_terms_are_counted_as_they_are_defined() -> None:
    """The sums by day equal the shares of every death, written out."""
    x, truth = cases(5, ties=True, n=60)
    deaths, risk = Deaths.of(truth), x[:, 0]
    shares = deaths.shares(risk)

    assert shares.sum(axis=1) == pytest.approx(np.ones(len(deaths.case)))
    assert deaths.expected(risk) == pytest.approx(shares.sum(axis=0))
    step = 1e-6
    slope = [
        (deaths.likelihood(risk + step * x[:, k]) - deaths.likelihood(risk - step * x[:, k])) / (2 * step)
        for k in range(3)
    ]
    assert deaths.gradient(x, risk)[:3] == pytest.approx(slope, abs=1e-5)


def test_what_cannot_be_fitted_is_refused() -> None:
    """Nobody died; unknown values; columns that repeat each other without a penalty."""
    x, truth = cases(6, ties=False, n=30)
    with pytest.raises(ValueError, match="nobody died"):
        ridge(x, FollowUp.of(truth.time, np.zeros(30)), 1.0)
    with pytest.raises(ValueError, match="finite"):
        elastic_net(np.full((30, 1), np.nan), truth, 0.1)
    with pytest.raises(ValueError, match="penalty above 0"):
        ridge(np.zeros((30, 2)), truth)


def test_survival_is_flat_after_the_last_death_and_never_rises() -> None:
    """A curve is known as far as somebody died."""
    x, truth = cases(7, ties=True)
    model: Cox = ridge(x, truth, 1.0)
    curves = model.survival(x, np.linspace(1, 2 * truth.time.max(), 30))

    assert (np.diff(curves, axis=1) <= 0).all()
    assert (curves[:, -1] == curves[:, -2]).all()


def test_a_design_learns_from_its_training_part_alone() -> None:
    """Unknown values lie at the mean with an indicator; constant columns are left out; far ones are cut."""
    draw = np.random.default_rng(0)
    training = np.column_stack([draw.normal(50, 10, 40), np.ones(40), draw.normal(size=40)])
    training[:8, 2] = np.nan
    design = Design.of(training)
    features = design(training)

    assert features.shape == (40, 3)
    assert features[:, 0].mean() == pytest.approx(0)
    assert features[:, 0].std() == pytest.approx(1)
    assert features[:, 2].tolist() == [1.0] * 8 + [0.0] * 32
    assert (features[:8, 1] == 0).all()
    assert design([[1e9, np.nan, np.nan]]).tolist() == [[5.0, 0.0, 1.0]]
    assert design([[np.nan, 1.0, 0.0]])[0, 0] == 0
