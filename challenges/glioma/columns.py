"""What the columns of the inputs, the truth and the predictions are."""

from __future__ import annotations

__all__ = [
    "CHANNELS",
    "COVARIATES",
    "DEVELOPMENT",
    "PREOPERATIVE",
    "RADIOMICS",
    "SHARED",
    "TIMES",
    "UNKNOWN",
    "YEAR",
]

YEAR = 365.0
"""Days."""

TIMES = tuple(YEAR / 4 * k for k in range(1, 21))
"""Days at which survival curves are given: the quarters of five years; 365 is the fourth."""

DEVELOPMENT = "ucsf_pdgm"
"""The folder of the development cohort."""

CHANNELS = ("t1", "t2", "t1ce", "flair")
"""The order of the channels of an image."""

COVARIATES = (
    "age",  # years
    "female",
    "grade4",  # WHO grade 4; TCGA: diagnosed as glioblastoma
    "idh_mutant",
    "grade3",
    "codeleted",  # 1p/19q
    "mgmt_methylated",
    "gross_total",  # resection
    "biopsy_only",
    "biopsied_before",  # before the MRI
)
"""Columns of the input `covariates`: age in years, the others 0 or 1; NaN is unknown."""

SHARED = 4
"""So many, the first, are those that UCSF-PDGM, TCGA and CGGA have."""

PREOPERATIVE = ("age", "female")
"""Known before the operation; the others need tissue, or the operation itself."""

UNKNOWN = 2
"""Of `sex` and `idh` in the truth; an unknown grade is 0, an unknown age NaN."""

_FEATURES = {
    "shape": "Elongation Flatness LeastAxisLength MajorAxisLength Maximum2DDiameterColumn "
    "Maximum2DDiameterRow Maximum2DDiameterSlice Maximum3DDiameter MeshVolume MinorAxisLength Sphericity "
    "SurfaceArea SurfaceVolumeRatio VoxelVolume",
    "firstorder": "10Percentile 90Percentile Energy Entropy InterquartileRange Kurtosis Maximum "
    "MeanAbsoluteDeviation Mean Median Minimum Range RobustMeanAbsoluteDeviation RootMeanSquared Skewness "
    "TotalEnergy Uniformity Variance",
    "glcm": "Autocorrelation JointAverage ClusterProminence ClusterShade ClusterTendency Contrast "
    "Correlation DifferenceAverage DifferenceEntropy DifferenceVariance JointEnergy JointEntropy Imc1 Imc2 "
    "Idm Idmn Id Idn InverseVariance MaximumProbability SumEntropy SumSquares",
    "glrlm": "GrayLevelNonUniformity GrayLevelNonUniformityNormalized GrayLevelVariance "
    "HighGrayLevelRunEmphasis LongRunEmphasis LongRunHighGrayLevelEmphasis LongRunLowGrayLevelEmphasis "
    "LowGrayLevelRunEmphasis RunEntropy RunLengthNonUniformity RunLengthNonUniformityNormalized "
    "RunPercentage RunVariance ShortRunEmphasis ShortRunHighGrayLevelEmphasis "
    "ShortRunLowGrayLevelEmphasis",
    "glszm": "GrayLevelNonUniformity GrayLevelNonUniformityNormalized GrayLevelVariance "
    "HighGrayLevelZoneEmphasis LargeAreaEmphasis LargeAreaHighGrayLevelEmphasis "
    "LargeAreaLowGrayLevelEmphasis LowGrayLevelZoneEmphasis SizeZoneNonUniformity "
    "SizeZoneNonUniformityNormalized SmallAreaEmphasis SmallAreaHighGrayLevelEmphasis "
    "SmallAreaLowGrayLevelEmphasis ZoneEntropy ZonePercentage ZoneVariance",
    "gldm": "DependenceEntropy DependenceNonUniformity DependenceNonUniformityNormalized "
    "DependenceVariance GrayLevelNonUniformity GrayLevelVariance HighGrayLevelEmphasis "
    "LargeDependenceEmphasis LargeDependenceHighGrayLevelEmphasis LargeDependenceLowGrayLevelEmphasis "
    "LowGrayLevelEmphasis SmallDependenceEmphasis SmallDependenceHighGrayLevelEmphasis "
    "SmallDependenceLowGrayLevelEmphasis",
}

RADIOMICS = tuple(f"original_{kind}_{name}" for kind, names in _FEATURES.items() for name in names.split())
"""Columns of the input `radiomics`, in the order of the file: PyRadiomics of the whole tumour on T1c."""
