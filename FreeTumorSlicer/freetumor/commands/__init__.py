"""The subjects of the command ``freetumor``, one file each: options in, one call of the core, words out.

Functions import the core when they are called: ``freetumor --help`` answers at once.
"""
