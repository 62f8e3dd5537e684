"""`python -m superposition_atlas COMMAND …`."""

import sys

from superposition_atlas.cli.main import main

sys.exit(main())
