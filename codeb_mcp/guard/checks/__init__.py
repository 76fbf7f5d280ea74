"""What the checks look for, each a function of what was read.

A check of one side yields every hit on it, old or new: what both sides have was not added. A check
of the whole change compares them itself.
"""
