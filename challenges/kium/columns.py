"""The names that the organisers' files are made of, in their order."""

from __future__ import annotations

VIEWS = ("LI-A", "LI-B", "LV-A", "LV-B", "RI-A", "RI-B", "RV-A", "RV-B")
"""Side (L, R), injection (I internal carotid, V vertebral) and angle (A, B) of the eight images."""

LOCATIONS = (
    "L_ICA",
    "R_ICA",
    "L_PCOM",
    "R_PCOM",
    "L_AntChor",
    "R_AntChor",
    "L_ACA",
    "R_ACA",
    "L_ACOM",
    "R_ACOM",
    "L_MCA",
    "R_MCA",
    "L_VA",
    "R_VA",
    "L_PICA",
    "R_PICA",
    "L_SCA",
    "R_SCA",
    "BA",
    "L_PCA",
    "R_PCA",
)
"""Internal carotid, posterior communicating, anterior choroidal, anterior cerebral, anterior
communicating, middle cerebral, vertebral, posterior inferior cerebellar, superior cerebellar, basilar
(the only one without a side) and posterior cerebral artery."""

RARE = ("L_PICA", "R_PICA", "L_SCA", "R_SCA", "L_PCA", "R_PCA")
"""Posterior locations with at most six positive patients in 1,127: shown pooled as well."""

HEADER = ("Index", "Aneurysm", *LOCATIONS)
