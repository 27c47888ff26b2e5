"""`python -m gvideo` is the command line."""

import sys

from gvideo.cli import main

sys.exit(main())
