"""The field's techniques, each switchable and measured against the encoder's way (`gvideo study techniques`).

base.py is the interface, fit.py the fit they are tried in, coded.py what Gaussians cost; study.py and report.py run and
tell. Each of the other files holds the techniques of one kind; loading it enters them into base.REGISTRY.
"""

from gvideo.evaluate.studies.techniques import (
    allocators,
    codings,
    initialisers,
    learned,
    motions,
    optimisers,
    parameterisations,
    regularisers,
    renderings,
)

__all__ = [
    "allocators", "codings", "initialisers", "learned", "motions", "optimisers", "parameterisations", "regularisers",
    "renderings",
]  # fmt: skip
