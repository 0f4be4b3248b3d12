"""Scoring of 3D segmentations: pure functions from two label volumes to the numbers of an edition."""
