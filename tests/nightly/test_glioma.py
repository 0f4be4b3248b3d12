"""The glioma challenge's large networks, trained end to end on the phantom cohort on two cores: minutes each.

Not in `uv run pytest`; type `uv run pytest tests/nightly`.
"""

from __future__ import annotations

TWO_CORES = ("model.loss=cox", "model.batch=16", "model.rho=0", "model.lr=1e-3", "loader.validation=0")
"""As the cards of the entries say."""
