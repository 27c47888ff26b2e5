"""Rules that a published folder must keep, checked on the files as a client gets them: `gvideo package --check`."""

from packager.check.run import check_presentation

__all__ = ["check_presentation"]


def __dir__() -> list[str]:
    return __all__
