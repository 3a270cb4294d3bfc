"""The console: pages on which the person at this machine starts parts of the story, and joins it.

It acts, so it is for whoever holds the token that stands in its address; the other pages only show.
"""
