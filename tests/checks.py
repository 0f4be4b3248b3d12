"""`harness check` of many submissions at once."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from harness import catalog
from harness.check import one_batch, planned
from harness.config import CheckConfig
from harness.contracts import Outcome
from harness.plan import prepare_inputs, sandbox_spec

__all__ = ["CHECKED", "LARGE", "checked"]

LARGE = (
    *("brats_swinunetr", "glioma_cbam", "glioma_densenet", "glioma_seresnext", "pneumonia_base"),
    *("pneumonia_inception", "pneumonia_optimiser", "pneumonia_resnet", "pneumonia_vgg16", "pneumonia_wide"),
)
"""Checked at night; the tests of their models train and predict with them, without a sandbox."""
CHECKED = tuple(name for name in catalog.names("submissions") if name not in LARGE)


def checked(names: Sequence[str], store: Path) -> dict[str, Outcome]:
    """Return what `harness check` finds of each, two at a time in one sandbox that sees all of them."""
    plans = [planned(CheckConfig(submission=name, store=store)) for name in names]
    stores = [prepare_inputs(plan) for plan in plans]
    specs = [sandbox_spec(plan, inputs) for plan, inputs in zip(plans, stores, strict=True)]
    seen = sorted({path for spec in specs for path in spec.read_only})
    libraries = sorted({library for spec in specs for library in spec.preload})
    spec = dataclasses.replace(specs[0], read_only=tuple(seen), preload=tuple(libraries))
    with ThreadPoolExecutor(2) as pool:
        found = pool.map(lambda plan, inputs: one_batch(plan, inputs, spec), plans, stores)
        return dict(zip(names, found, strict=True))
