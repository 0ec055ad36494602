"""The nets that `export.py` exports: which, at what size, by which exporter. Needs no framework.

A small net is its architecture with fewer and narrower layers. Its channel counts are mostly odd and distinct
and its H differs from its W, so that a mistaken axis cannot pass for the right one.
"""

import catalog_keras
import catalog_torch
import kinds

SMALL = catalog_torch.SMALL + catalog_keras.SMALL
FULL = catalog_torch.FULL + catalog_keras.FULL
KINDS = kinds.KINDS
