"""The lenses: each reads a vendor's value into its canonical form and writes the canonical value in the vendor's form.

The law of every lens: `read(write(v)) == v` for every canonical v it can hold; `write(read(x))` is x in tidy form.
A value a lens cannot read or write is a Rejection, never an exception.
"""
