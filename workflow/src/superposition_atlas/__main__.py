"""`python -m superposition_atlas COMMAND …`."""

import sys

from superposition_atlas.backends.process import make_independent
from superposition_atlas.cli.fork_request import ending_of_fork

if (ending := ending_of_fork()) is not None:
    sys.exit(ending)

make_independent()  # before numpy and torch read the environment, which what follows imports

from superposition_atlas.cli.main import main  # noqa: E402

sys.exit(main())
