"""`python -m superposition_atlas COMMAND …`."""

import sys

from superposition_atlas.cli import main

sys.exit(main())
