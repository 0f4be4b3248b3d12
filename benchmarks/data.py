"""Data time of a visited sample: decoding in every epoch against the prepared store, on the real chest films.

uv run python benchmarks/data.py --data ../shared/data/pneumonia [--size 64] [--epochs 2]

Both sides give the same batches of the same grey squares, one thread each: one decodes the JPEG of every
visited film with OpenCV at full quality, as the store was built; the other indexes the memory-mapped store.
The store's own build, which decodes every film once, is shown beside it.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np

from harness import catalog
from harness.contracts import Case, Dataset
from harness.prepare import digests_of, prepare
from harness.training import CaseDataset, batches

BATCH = 64


def decode_every_epoch(cases: tuple[Case, ...], rows: np.ndarray, size: int) -> float:
    """Return the seconds of decoding these rows, batch by batch."""
    data = catalog.challenge("pneumonia").data
    began = time.perf_counter()
    for start in range(0, len(rows), BATCH):
        np.stack([data.decode(cases[row], {"size": size})["image"] for row in rows[start : start + BATCH]])
    return time.perf_counter() - began


def read_store(folder: Path, rows: np.ndarray, epochs: int) -> float:
    """Return the seconds of loading these rows from the store, as a fold does."""
    inputs = {path.stem: np.load(path, mmap_mode="r") for path in folder.glob("*.npy")}
    loader = batches(CaseDataset(inputs, rows), BATCH, shuffle=True)
    for _ in loader:  # the page cache holds the store from the first epoch on
        pass
    began = time.perf_counter()
    for _ in range(epochs):
        for _ in loader:
            pass
    return (time.perf_counter() - began) / epochs


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--epochs", type=int, default=5)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    challenge = catalog.challenge("pneumonia")
    dataset: Dataset = challenge.data.read(options.data, None, {"variant": "kaggle"})
    cases = dataset.development.cases
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        store = prepare(challenge, dataset, digests_of(dataset), {"size": options.size}, Path(folder))
        build = time.perf_counter() - began
        again = prepare(challenge, dataset, digests_of(dataset), {"size": options.size}, Path(folder))
        rows = np.arange(len(cases))
        ours = read_store(store.development, rows, options.epochs) / len(rows)
        theirs = decode_every_epoch(cases, rows, options.size) / len(rows)
    print(
        f"{len(cases)} films to {options.size} x {options.size}; the store: {build:.1f} s, "
        f"{store.decoded} decoded, then {again.decoded}"
    )
    print(f"per visit: decoding {theirs * 1e6:.0f} us, store {ours * 1e6:.1f} us, ratio {theirs / ours:.0f}")


if __name__ == "__main__":
    main()
