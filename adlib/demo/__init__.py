"""A week of a company's network traffic with planted, labelled incidents, and the job over it.

`traffic` makes what is ordinary, `incidents` what is not, `table` puts both together and breaks a
few rows on purpose, to be seen in quarantine. `python -m adlib.demo` runs the job over the table
and `top` prints what it found.
"""
