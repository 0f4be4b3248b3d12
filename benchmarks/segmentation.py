"""Scoring of BraTS pairs, files to numbers: the harness, MONAI, surface-distance, and nibabel's reading.

uv run --with surface-distance python benchmarks/segmentation.py [--data ../shared/data/brats] [--rounds 3]

One thread each, in turns, median of the rounds. Memory is the peak above the start of a new process that
scores one pair, after its imports and a first small pair.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ[name] = "1"

import numpy as np

from harness.segmentation import core
from harness.segmentation.editions import EDITIONS
from harness.segmentation.nifti import read_labels

warnings.filterwarnings("ignore")

Pair = tuple[Path, Path]
REGIONS = tuple(EDITIONS["2023"].regions.values())
GLOBAL = replace(EDITIONS["2023"], lesions="")
SPACING = (1.0, 1.0, 1.0)


def read(pair: Pair) -> tuple[np.ndarray, np.ndarray]:
    """Read both files as the harness does."""
    truth, prediction = (read_labels(path, range(4)).labels for path in pair)
    return truth, prediction


def compiled(pair: Pair) -> dict:
    """All metrics of 2023, lesion-wise included."""
    from harness.segmentation import compiled

    return compiled.measure(*read(pair), SPACING, EDITIONS["2023"])


def compiled_global(pair: Pair) -> dict:
    """The same without the lesion-wise scores: what the peers compute."""
    from harness.segmentation import compiled

    return compiled.measure(*read(pair), SPACING, GLOBAL)


def compiled_2026(pair: Pair) -> dict:
    """All metrics of 2026."""
    from harness.segmentation import compiled

    return compiled.measure(*read(pair), SPACING, EDITIONS["2026"])


def plain(pair: Pair) -> dict:
    """All metrics of 2023 by the plain implementation."""
    from harness.segmentation import plain

    return plain.measure(*read(pair), SPACING, EDITIONS["2023"])


def nibabel_read(pair: Pair) -> list[np.ndarray]:
    """Only read both files, as float64."""
    import nibabel

    return [nibabel.load(path).get_fdata() for path in pair]


def monai(pair: Pair) -> list:
    """Dice, HD95 and surface Dice at 1 mm."""
    import torch
    from monai.metrics import compute_dice, compute_hausdorff_distance, compute_surface_dice

    torch.set_num_threads(1)
    truth, prediction = (
        torch.as_tensor(np.stack([np.isin(labels, region) for region in REGIONS])[None])
        for labels in nibabel_read(pair)
    )
    return [
        compute_dice(prediction.float(), truth.float(), include_background=True),
        compute_hausdorff_distance(
            prediction, truth, include_background=True, percentile=95, spacing=list(SPACING)
        ),
        compute_surface_dice(
            prediction, truth, [1.0] * 3, include_background=True, spacing=SPACING, use_subvoxels=True
        ),
    ]


def surface_distance(pair: Pair) -> list:
    """Dice, HD95 and surface Dice at 1 mm."""
    import surface_distance as tool

    truth, prediction = nibabel_read(pair)
    found = []
    for region in REGIONS:
        ours, theirs = np.isin(truth, region), np.isin(prediction, region)
        distances = tool.compute_surface_distances(ours, theirs, SPACING)
        found += [
            tool.compute_dice_coefficient(ours, theirs),
            tool.compute_robust_hausdorff(distances, 95),
            tool.compute_surface_dice_at_tolerance(distances, 1.0),
        ]
    return found


TOOLS: dict[str, Callable[[Pair], object]] = {
    tool.__name__: tool
    for tool in (compiled, compiled_global, compiled_2026, plain, nibabel_read, surface_distance, monai)
}


def peak_above_start(tool: str, pair: Pair, small: Pair) -> float:
    """Return the peak of memory above the start, MB, in this new process."""
    TOOLS[tool](small)
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    before = memory("VmRSS")
    TOOLS[tool](pair)
    return memory("VmHWM") - before


def memory(what: str) -> float:
    """Return a figure of this process, MB."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition(f"{what}:")[2].split()[0]) / 1024


def hard_pairs(folder: Path) -> list[tuple[str, np.ndarray, np.ndarray]]:
    """Return the worst valid inputs: noise, everything, a flipped prediction; no overlap."""
    draw = np.random.default_rng(0)
    truth = read_labels(folder / "c04_gt.nii.gz", range(4)).labels
    outside = truth == 0
    pairs = []
    for share in (0.0001, 0.001, 0.01, 0.1):
        salt = np.asfortranarray(((draw.random(truth.shape) < share) & outside) * np.uint8(3))
        pairs.append((f"salt noise {share:g}", truth, salt))
    pairs.append(("everything else", truth, np.asfortranarray(outside * np.uint8(3))))
    pairs.append(("flipped", truth, np.asfortranarray(truth[::-1])))
    corner = np.zeros_like(truth)
    corner[:6, :6, :6] = 3
    pairs.append(("a far corner", truth, corner))
    return pairs


def measure_hard(folder: Path, rounds: int) -> None:
    """Print the time of the worst valid inputs."""
    from harness.segmentation import compiled

    for name, truth, prediction in hard_pairs(folder):
        for edition in ("2023", "2026"):
            took = []
            for _ in range(rounds):
                began = time.perf_counter(), time.thread_time()
                compiled.measure(truth, prediction, SPACING, EDITIONS[edition])
                took.append((time.perf_counter() - began[0], time.thread_time() - began[1]))
            wall, cpu = (min(values) for values in zip(*took, strict=True))
            print(f"  {name:20} {edition}: {wall * 1e3:6.0f} ms, processor {cpu * 1e3:6.0f} ms", flush=True)


def measure_turns(pairs: list[Pair], rounds: int, tools: list[str]) -> None:
    """Print medians and ratios of the tools, in turns."""
    for tool in tools:
        TOOLS[tool](pairs[0])
    seconds: dict[str, list[list[float]]] = {tool: [[] for _ in pairs] for tool in tools}
    for _ in range(rounds):
        for k, pair in enumerate(pairs):
            for tool in tools:
                began = time.process_time()
                TOOLS[tool](pair)
                seconds[tool][k].append(time.process_time() - began)
    medians = {tool: [statistics.median(times) for times in found] for tool, found in seconds.items()}
    for tool, times in medians.items():
        ratios = [there / here for here, there in zip(medians[tools[0]], times, strict=True)]
        each = " ".join(f"{ms * 1e3:7.1f}" for ms in times)
        ratio = statistics.mean(times) / statistics.mean(medians[tools[0]])
        print(
            f"  {tool:16} {statistics.mean(times) * 1e3:8.1f} ms a pair ({each}); {ratio:6.2f} times "
            f"{tools[0]} (a pair {min(ratios):.1f} to {max(ratios):.1f})",
            flush=True,
        )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data/brats"))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--tools", nargs="+", default=list(TOOLS))
    parser.add_argument("--memory-of", default="", help=argparse.SUPPRESS)
    options = parser.parse_args()
    folder = options.data / "golden_2023"
    names = [f"c{k:02d}" for k in range(6)]
    pairs = [(folder / f"{name}_gt.nii.gz", folder / f"{name}_pred.nii.gz") for name in names]
    small = (folder / "d_single_same_gt.nii.gz", folder / "d_single_same_pred.nii.gz")
    if options.memory_of:
        print(f"{peak_above_start(options.memory_of, pairs[4], small):.0f}")
        return
    core.make()
    print(f"{len(pairs)} pairs of 240x240x155, processor time, files to numbers")
    measure_turns(pairs, options.rounds, options.tools)
    print("worst valid input, arrays to numbers, least of two rounds")
    measure_hard(folder, min(2, options.rounds))
    print("peak of memory above the start of one pair, MB")
    for tool in options.tools:
        words = [sys.executable, __file__, "--data", str(options.data), "--memory-of", tool]
        print(
            f"  {tool:16} {subprocess.run(words, check=True, capture_output=True, text=True).stdout.strip()}"
        )


if __name__ == "__main__":
    main()
