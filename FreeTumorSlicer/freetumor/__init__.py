"""FreeTumor: realistic synthetic tumors in real CTs. Not for clinical use.

The core package. It never imports Slicer, Qt or MRML; torch and monai are imported only in
``freetumor.nets`` and ``freetumor.training``.
"""

__version__ = "0.1.0"
