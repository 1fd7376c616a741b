"""`python -m nonlocal_keras.cli` is the command `nonlocal-keras`."""

import sys

from nonlocal_keras.cli.main import main

sys.exit(main())
