"""Comity: the hub between loyalty programmes and the systems that know the customers."""
