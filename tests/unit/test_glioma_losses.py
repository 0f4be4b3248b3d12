"""Losses of censored times against slow definitions, scikit-survival and real patients."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from sksurv.linear_model import CoxPHSurvivalAnalysis
from sksurv.util import Surv
from torch import Tensor

from challenges.glioma.columns import TIMES
from challenges.glioma.heads import HEADS, CoxHead, DiscreteHead, PropHazardsHead, head_of
from challenges.glioma.losses import (
    SOURCE_BREAKS,
    breslow,
    cox_coefficients,
    cox_loss,
    grouped,
    grouped_loss,
    interpolation,
    prophazards_parts,
)
from harness.errors import UserError
from tests.real import real_data


def cohort(n: int, seed: int, ties: bool = True) -> tuple[Tensor, Tensor]:
    """Return times, many of them tied, and events."""
    draw = np.random.default_rng(seed)
    time = draw.exponential(800, n) + 1
    time = np.ceil(time / 300) * 300 if ties else time
    return torch.tensor(time), torch.tensor(draw.random(n) < 0.6).double()


def slow_cox(risk: Tensor, time: Tensor, event: Tensor) -> float:
    """Return the mean of -log(Efron's partial likelihood), death by death."""
    hazard, total = risk.exp().tolist(), 0.0
    deaths = [i for i in range(len(risk)) if event[i]]
    for day in {float(time[i]) for i in deaths}:
        tied = [i for i in deaths if time[i] == day]
        at_risk = sum(h for h, t in zip(hazard, time, strict=True) if t >= day)
        for place, i in enumerate(tied):
            less = place / len(tied) * sum(hazard[j] for j in tied)
            total -= float(risk[i]) - math.log(at_risk - less)
    return total / len(deaths)


@pytest.mark.parametrize("seed", range(6))
def test_cox_loss_is_efrons_partial_likelihood(seed: int) -> None:
    """Equal to the definition, with ties and without; the order of the batch does not matter."""
    time, event = cohort(25, seed, ties=seed % 2 == 0)
    risk = torch.tensor(np.random.default_rng(seed).normal(size=25))
    assert float(cox_loss(risk, time, event)) == pytest.approx(slow_cox(risk, time, event), abs=1e-12)
    order = torch.randperm(25)
    again = cox_loss(risk[order], time[order], event[order])
    assert float(again) == pytest.approx(float(cox_loss(risk, time, event)), abs=1e-12)


def test_cox_loss_without_a_death_is_nothing() -> None:
    """It is 0 with a gradient of 0, and a backward pass goes through."""
    risk = torch.randn(4, requires_grad=True)
    loss = cox_loss(risk, torch.arange(4.0), torch.zeros(4))
    loss.backward()
    assert loss.item() == 0
    assert risk.grad is not None
    assert not risk.grad.any()


def test_cox_loss_survives_extreme_risks() -> None:
    """Hazard ratios beyond what a float holds leave loss and gradient finite."""
    risk = torch.tensor([300.0, -300.0, 0.0, 299.0], requires_grad=True)
    loss = cox_loss(risk, torch.tensor([1.0, 1.0, 2.0, 2.0]), torch.ones(4))
    loss.backward()
    assert torch.isfinite(loss)
    assert risk.grad is not None
    assert torch.isfinite(risk.grad).all()


def test_coefficients_and_curves_are_those_of_scikit_survival_on_real_patients() -> None:
    """Cox's model of age, sex, grade 4 and IDH of the real UCSF-PDGM cohort, Efron's ties."""
    import pandas as pd

    table = pd.read_csv(real_data("glioma") / "ucsf_pdgm" / "UCSF-PDGM-metadata_v2.csv").dropna(
        subset=["OS", "1-dead 0-alive"]
    )
    table = table[table["OS"] > 0]
    values = np.column_stack(
        [
            (table["Age at MRI"] - 57) / 15,
            table["Sex"] == "F",
            table["WHO CNS Grade"] == 4,
            table["IDH"] != "wildtype",
        ]
    ).astype(float)
    time, dead = table["OS"].to_numpy(float), table["1-dead 0-alive"].to_numpy(float)
    theirs = CoxPHSurvivalAnalysis(ties="efron").fit(values, Surv.from_arrays(dead > 0, time))
    given = [torch.tensor(part) for part in (values, time, dead)]
    mine = cox_coefficients(*given)
    assert np.allclose(mine, theirs.coef_, atol=1e-5)
    assert mine[0] > 0 > mine[3]
    at = np.array(TIMES)
    risk = given[0] @ torch.tensor(theirs.coef_)
    # scikit-survival centres the covariates' risks on their mean.
    found = breslow(risk, given[1], given[2], torch.tensor(at)).numpy()
    steps = theirs.cum_baseline_hazard_
    wanted = np.array([steps.y[steps.x <= day][-1] for day in at])
    ratio = found / wanted
    assert np.allclose(ratio, ratio[0], rtol=1e-9)
    curves = np.exp(-found * np.exp(risk.numpy())[:5, None])
    reference = np.array([f(at) for f in theirs.predict_survival_function(values[:5])])
    assert np.allclose(curves, reference, atol=1e-9)


def test_the_sources_breaks() -> None:
    """The 20 days that the source's code has, to their printed digits."""
    wanted = [0, 54, 111, 171.2, 235, 303, 375.6, 453.7, 538, 629.6, 730, 841, 965, 1105.6, 1268, 1460]
    assert np.allclose(SOURCE_BREAKS, [*wanted, 1695, 1998, 2425, 3155], atol=0.6)
    assert np.allclose(np.exp(-SOURCE_BREAKS * np.log(2) / 730), 1 - np.arange(20) / 20)


def test_the_discrete_loss_is_the_likelihood_of_a_grouped_hazard_model() -> None:
    """The product over each patient's intervals of 1 - h, and of h where he dies."""
    breaks = [0.0, 100.0, 250.0, 600.0, 1000.0]
    draw = np.random.default_rng(0)
    time = np.array([1.0, 99, 100, 249.9, 250, 700, 999, 1000, 5000, 300, 30])
    event = draw.random(len(time)) < 0.6
    hazards = draw.uniform(0.05, 0.9, (len(time), 4))
    total = 0.0
    for day, dead, h in zip(time, event, hazards, strict=True):
        likelihood = 1.0
        for k in range(4):
            middle = (breaks[k] + breaks[k + 1]) / 2
            if dead and breaks[k] <= day < breaks[k + 1]:
                likelihood *= h[k]
            elif day >= (breaks[k + 1] if dead else middle):
                likelihood *= 1 - h[k]
        total -= math.log(likelihood)
    marks = grouped(torch.tensor(time), torch.tensor(event), torch.tensor(breaks, dtype=torch.float64))
    survival = torch.tensor(1 - hazards)
    found = grouped_loss(survival.log(), (1 - survival).log(), *marks)
    assert float(found) == pytest.approx(total / len(time), abs=1e-12)


def test_the_censored_have_credit_beyond_the_midpoint() -> None:
    """Followed to day 149 of 100 to 200: nothing of that interval; to day 150: survived; the dead: neither."""
    breaks = torch.tensor([0.0, 100.0, 200.0])
    survived, died = grouped(torch.tensor([149.0, 150, 150, 500]), torch.tensor([0, 0, 1, 1]), breaks)
    assert survived.tolist() == [[1, 0], [1, 1], [1, 0], [1, 1]]
    assert died.tolist() == [[0, 0], [0, 0], [0, 1], [0, 0]]


def test_the_sources_head_is_a_variant() -> None:
    """sigmoid(x)^exp(x), never below 1/e, falling, finite with its gradient wherever x is."""
    x = torch.linspace(-8, 8, 33, dtype=torch.float64)[None]
    survival, death = prophazards_parts(x)
    assert torch.allclose(survival.exp(), x.sigmoid() ** x.exp(), atol=1e-12)
    assert torch.allclose(death.exp(), 1 - survival.exp(), atol=1e-12)
    assert (survival.diff() < 0).all()
    assert float(survival.exp().min()) > 1 / math.e
    far = torch.tensor([[-200.0, -90, 90, 200]], requires_grad=True)
    parts = prophazards_parts(far)
    (parts[0] + parts[1]).sum().backward()
    assert all(torch.isfinite(part).all() for part in (*parts, far.grad if far.grad is not None else far))


def test_curves_are_interpolated_as_numpy_does() -> None:
    """Between the breaks straight, at a break exact, level beyond the last."""
    curve = np.sort(np.random.default_rng(1).random((5, 20)))[:, ::-1]
    times = [0.0, 54.3, 365.0, *SOURCE_BREAKS[[3, 7]], 3000.0, 9000.0]
    wanted = [np.interp(times, SOURCE_BREAKS, row) for row in curve]
    assert np.allclose(curve @ interpolation(SOURCE_BREAKS, times), wanted, atol=1e-14)


@pytest.mark.parametrize("name", HEADS)
def test_heads_give_curves_that_never_rise(name: str) -> None:
    """Before the fit and after it, for outputs of any size; more output is more risk and less survival."""
    head = head_of(name, TIMES)
    time, event = (part.float() for part in cohort(40, 3))
    outputs = torch.randn(40, head.outputs) * torch.logspace(-2, 2, 40)[:, None]
    for step in (lambda: None, lambda: head.begin(time, event), lambda: head.finish(outputs, time, event)):
        step()
        survival = head.survival(outputs)
        assert survival.shape == (40, len(TIMES))
        assert ((survival >= 0) & (survival <= 1)).all()
        assert (survival.diff(dim=1) <= 0).all()
        assert torch.isfinite(head.risk(outputs)).all()
    assert (head.risk(outputs + 1) >= head.risk(outputs)).all()
    assert (head.survival(outputs + 1) <= head.survival(outputs) + 1e-6).all()
    assert torch.isfinite(head.loss(outputs, time, event))


def test_a_constant_answer_is_the_cohorts_own_curve() -> None:
    """Without any difference between patients, Cox's curve is exp(-Nelson-Aalen), the life table's its own."""
    time, event = (part.float() for part in cohort(200, 5))
    cox, discrete = CoxHead(TIMES), DiscreteHead(TIMES)
    cox.finish(torch.full((200, 1), 0.7), time, event)
    steps = [float(((time == day) & (event > 0)).sum() / (time >= day).sum()) for day in time.unique()]
    year = sum(step for step, day in zip(steps, time.unique(), strict=True) if day <= TIMES[7])
    assert float(cox.survival(torch.full((1, 1), 0.7))[0, 7]) == pytest.approx(math.exp(-year), abs=1e-5)
    discrete.begin(time, event)
    survived, died = grouped(time, event, discrete.breaks)
    table = (survived.sum(0) + 0.5) / (survived.sum(0) + died.sum(0) + 1)
    assert torch.allclose(discrete.curve(torch.zeros(1, 19))[0, 1:], table.cumprod(0), atol=1e-5)


def test_the_risk_of_discrete_heads_is_that_of_one_year() -> None:
    """-log of the curve at day 365, between the breaks at 303.0 and 375.6."""
    head = PropHazardsHead(TIMES)
    outputs = torch.randn(6, 19)
    wanted = [np.interp(365, SOURCE_BREAKS, row) for row in head.curve(outputs).double().numpy()]
    assert np.allclose((-head.risk(outputs)).exp(), wanted, atol=1e-5)


def test_an_unknown_loss_is_refused() -> None:
    """One sentence with the nearest name."""
    with pytest.raises(UserError, match="No loss named 'coxx'. Did you mean 'cox'"):
        head_of("coxx", TIMES)
