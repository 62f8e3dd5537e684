"""`python -m superposition_atlas COMMAND …`."""

import sys

from superposition_atlas.backends.process import make_independent

make_independent()  # before numpy and torch read the environment, which what follows imports

from superposition_atlas.cli.main import main  # noqa: E402

sys.exit(main())
