import sys

from rewriter.weights.cli import main

sys.exit(main())
