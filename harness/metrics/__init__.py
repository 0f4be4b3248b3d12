"""One metric a file; each holds a `harness.contracts.Metric` as `metric`.

Every `compute(truth, prediction, counts=None)` is pure. `counts` (resamples, n) holds how often each
case occurs in each bootstrap resample; the value then has shape (resamples,), otherwise (). A
metric that is undefined for its input (one class only, no case) is NaN, never a number; malformed
input is a ValueError that says why. Files that begin with an underscore are shared parts, not metrics.
"""
