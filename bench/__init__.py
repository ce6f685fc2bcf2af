"""Measurements that anybody can repeat (`make bench`), each beside what it is compared with, in the same run.

The servers that they need are those of the tests, imported as the tests import them.
"""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "tests"))
