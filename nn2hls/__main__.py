"""``python -m nn2hls`` is the command line."""

import sys

from nn2hls.cli import main

sys.exit(main())
