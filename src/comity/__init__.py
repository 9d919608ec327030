"""Comity: the hub between loyalty programmes and the systems that know the customers."""

__version__ = "0.1.0"
