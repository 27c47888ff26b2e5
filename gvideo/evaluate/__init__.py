"""Whether it is any good: the same frames through gvideo and its anchors, written bytes, decoded pictures, figures.

    source -> frames.py (one file of 8-bit integers) -> own.py, anchors.py (streams) -> metrics.py, perceptual.py
                                                                   -> bd.py -> tables.py, report/ (HTML, SVG)

cache.py keeps every point by the hash of what it depends on; compare.py runs the plan. studies/ are experiments.
"""
