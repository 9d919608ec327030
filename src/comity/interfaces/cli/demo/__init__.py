"""The demo: the main job on data nobody here wrote, told as it runs, every claim checked.

Owns: the story, its data (FEBRL 4 people, CDNOW purchases), its project, and the processes it starts.
Invariants: what is claimed was measured in this run; the truth about the people is never shown to the hub; everything
that was started ends with the demo.
Tables: none.
Place in the flow: outside; it is a user of the command line, the API and the simulated systems.
"""
