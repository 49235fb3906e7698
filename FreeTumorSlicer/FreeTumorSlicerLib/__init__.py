"""Glue that the FreeTumor modules share: between MRML nodes and the core package ``freetumor``."""
