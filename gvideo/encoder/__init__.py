"""From frames to bytes: analyse motion, grow and fit Gaussians, train them against the quantiser, pack.

The only package besides raster/cuda.py that needs torch.

    frames -> flow -> trajectories -> grow (floats) -> train (quantised, priced) -> pack (symbols) -> bytes
"""
