"""What `harness explain` shows of a glioma patient."""

from __future__ import annotations

import numpy as np
import pytest

from challenges.glioma import viewer
from harness import catalog
from harness.heat import image_of


def test_the_t1_with_contrast_lies_under_the_map() -> None:
    """The third channel of four, along x, y and z; the unit is the challenge's, and writes no slices."""
    volumes = np.arange(4 * 24, dtype=np.int16).reshape(4, 2, 3, 4)
    unit = catalog.challenge("glioma").viewer
    image, eight_bit = image_of({"image": volumes}, [unit])
    assert (image[0] == volumes[2]).all()
    assert (image.shape, eight_bit) == ((1, 2, 3, 4), False)
    assert viewer.EXPLAINED_AXES == "RAS"
    assert not hasattr(unit, "write")


def test_covariates_alone_are_no_image() -> None:
    """A sentence instead of a KeyError."""
    with pytest.raises(ValueError, match="no image among the inputs covariates"):
        viewer.explained_image({"covariates": np.zeros(3)})
