"""Random crops of 4 x 128^3 voxels, image and labels: the prepared store against MONAI's PersistentDataset.

uv run python benchmarks/crops.py --data ../shared/data/brats/BraTS-GLI-00001-000 [--cases 4] [--rounds 15]

A case set of 240 x 240 x 155 is made of copies of the real case, with an algorithm's mask in the place of the
truth. Both sides hold every case on disk, decoded once, files in the page cache, one thread each, in turns;
ours as int16 cropped to the brain, MONAI's as normalised float32 tensors, whole or cropped by
CropForegroundd, from which RandSpatialCropd cuts. Ours is measured as the loader reads it, and with the
normalisation to float32 that a GPU would do.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path

for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[name] = "1"

import torch
from monai.data import PersistentDataset
from monai.transforms import (
    Compose,
    CropForegroundd,
    EnsureChannelFirstd,
    EnsureTyped,
    Lambdad,
    LoadImaged,
    NormalizeIntensityd,
    RandSpatialCropd,
)

from challenges.brats.baseline import Model
from challenges.brats.patches import PatchDataset
from harness import catalog
from harness.contracts import Dataset
from harness.prepare import digests_of, prepare
from harness.ragged import inputs_of
from harness.training import CaseDataset

SIZE = (128, 128, 128)
PARTS = ("t1n", "t1c", "t2w", "t2f")
BOTH = ["image", "label"]
Reader = Callable[[int, int], object]
"""(case, seed) -> a crop."""


def case_set(source: Path, root: Path, cases: int) -> Path:
    """Write so many copies of the real case in the layout of 2023."""
    for number in range(cases):
        name = f"BraTS-GLI-{number:05}-000"
        folder = root / "training" / name
        folder.mkdir(parents=True)
        for part in PARTS:
            shutil.copy(source / f"{source.name}-{part}.nii.gz", folder / f"{name}-{part}.nii.gz")
        shutil.copy(source / "seg-BraTS23_1.nii.gz", folder / f"{name}-seg.nii.gz")
    return root


def of_the_store(root: Path, cache: Path) -> dict[str, Reader]:
    """Prepare the store; return its readers."""
    challenge = catalog.challenge("brats")
    dataset: Dataset = challenge.data.read(root, None, {"edition": "2023"})
    store = prepare(challenge, dataset, digests_of(dataset), {}, cache)
    rows = range(len(dataset.development.cases))
    cases = CaseDataset(inputs_of(store.development), rows, dataset.development.truth)
    anywhere, centred = (PatchDataset(cases, SIZE, share) for share in (0.0, 0.5))
    model = Model(width=8)
    return {
        "store": lambda case, seed: anywhere[[(case, seed)]],
        "store, half on the tumour": lambda case, seed: centred[[(case, seed)]],
        "store, normalised to float32": lambda case, seed: model.normalise(anywhere[[(case, seed)]]),
    }


def of_monai(root: Path, cache: Path) -> dict[str, Reader]:
    """Return the readers of PersistentDataset, on whole and on cropped cases."""
    folders = sorted((root / "training").iterdir())
    items = [
        {
            "image": [str(folder / f"{folder.name}-{part}.nii.gz") for part in PARTS],
            "label": str(folder / f"{folder.name}-seg.nii.gz"),
        }
        for folder in folders
    ]
    load = [LoadImaged(BOTH), EnsureChannelFirstd(BOTH)]
    crop = [CropForegroundd(BOTH, source_key="image", allow_smaller=True)]
    # Copied, because a view is cached with all of the case behind it.
    last = [
        NormalizeIntensityd("image", nonzero=True, channel_wise=True),
        EnsureTyped("label", dtype=torch.uint8),
        Lambdad(BOTH, torch.clone),
    ]
    cut = RandSpatialCropd(BOTH, SIZE, random_size=False)

    def reader(name: str, steps: list[object]) -> Reader:
        data = PersistentDataset(items, Compose([*steps, cut]), cache_dir=cache / name)

        def read(case: int, seed: int) -> object:
            cut.set_random_state(seed)
            return data[case]

        return read

    return {
        "PersistentDataset, RandSpatialCropd": reader("whole", [*load, *last]),
        "PersistentDataset, CropForegroundd first": reader("cropped", [*load, *crop, *last]),
    }


def measure(readers: dict[str, Reader], cases: int, rounds: int) -> dict[str, float]:
    """Return the median seconds of a crop; the first visit of a case builds the caches: not counted."""
    for read in readers.values():
        for case in range(cases):
            read(case, 0)
    seconds: dict[str, list[float]] = {name: [] for name in readers}
    for seed in range(rounds):
        for name, read in readers.items():
            for case in range(cases):
                began = time.perf_counter()
                read(case, seed)
                seconds[name].append(time.perf_counter() - began)
    return {name: statistics.median(values) for name, values in seconds.items()}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--cases", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    torch.set_num_threads(1)
    warnings.filterwarnings("ignore")
    with tempfile.TemporaryDirectory() as folder:
        root = case_set(options.data, Path(folder) / "data", options.cases)
        readers = of_the_store(root, Path(folder) / "store") | of_monai(root, Path(folder) / "monai")
        found = measure(readers, options.cases, options.rounds)
        sizes = {
            name: sum(path.stat().st_size for path in (Path(folder) / name).rglob("*") if path.is_file())
            for name in ("store", "monai/whole", "monai/cropped")
        }
    whole = found["PersistentDataset, RandSpatialCropd"]
    print(
        f"{options.cases} cases of 240 x 240 x 155, {options.rounds} crops each; "
        "median ms of a crop, how many times as fast"
    )
    for name, seconds in found.items():
        print(f"{name:42} {seconds * 1e3:8.2f} {whole / seconds:8.1f}")
    print("on disk, MB a case: " + ", ".join(f"{k} {v / options.cases / 1e6:.0f}" for k, v in sizes.items()))


if __name__ == "__main__":
    main()
