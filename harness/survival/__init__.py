"""Statistics of censored survival times: pure functions of arrays, with no challenge in them.

`followup` holds the truth (time and event), `kaplan_meier` its curves, `concordance` and `concordance_td`
the C of a risk and of survival curves, `dynamic_auc`, `brier`, `calibration` and `d_calibration` what they
are named after, `logrank` the comparison of groups, `interpolation` the reading of predicted curves.
`cox` fits Cox's model, and `design` prepares its columns.

A risk is higher the earlier death is expected; a survival probability is that of being alive beyond a time.
`counts` (resamples, n) holds how often each case occurs in each bootstrap resample; a value then has shape
(resamples,), otherwise (), and is the one that the repeated cases would have. What is undefined for its
data (no comparable pair, no event, follow-up that ends too early) is NaN; malformed input, and a time
for which the training follow-up gives no weight, is a ValueError that says why.
"""
