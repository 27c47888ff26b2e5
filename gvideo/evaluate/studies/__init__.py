"""Experiments on the fit itself: how many Gaussians a picture wants (density), which settings are best (sweep).

The only part of the evaluation that loads torch, for its optimisers; pictures and gradients are gvideo.raster's.
"""
