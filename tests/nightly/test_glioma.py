"""The glioma challenge's large networks, trained end to end on the phantom cohort on two cores: minutes each.

Not in `uv run pytest`; type `uv run pytest tests/nightly`.
"""

from __future__ import annotations

import pytest

from tests.conftest import Workplace

TWO_CORES = (
    "folds=2",
    "loader.validation=0",
    "model.loss=cox",
    "model.batch=16",
    "model.rho=0",
    "model.lr=1e-3",
)
"""As the cards of the entries say; and what differs between these."""
WORDS = {
    "glioma_vit": ("trainer.max_epochs=4",),
    "glioma_densenet": ("trainer.max_epochs=4",),
    "glioma_seresnext": ("trainer.max_epochs=8",),
    "glioma_cbam": ("trainer.max_epochs=4", "preparation.shape=[20,20,14]"),
}


@pytest.mark.parametrize("name", WORDS)
def test_a_large_network_beats_the_constant_answer(workplace: Workplace, name: str) -> None:
    """Its whole interval of C lies above one half, which every constant risk has, out of fold."""
    words = (f"submission={name}", *TWO_CORES, *WORDS[name])
    workplace.harness("run", "challenge=glioma", *words, minutes=60)
    records = {record["entry"]["name"]: record for record in workplace.records("glioma")}

    assert records["same_risk"]["cv"]["metrics"]["c_index"]["value"] == 0.5
    assert records[name]["cv"]["metrics"]["c_index"]["low"] > 0.5
