"""nbval's comparison of the chapters with their stored outputs.

Numbers that `note` keeps for the prose are stored with all their digits, of which the last differ
between processors; what a reader sees of them is rounded.  They are held by the cells' assertions,
and what a cell prints or shows is compared as it stands.
"""

NOTED = ("application/papermill.record/text/plain", "application/papermill.record/text/html")


def pytest_collectstart(collector):
    if hasattr(collector, "skip_compare"):
        collector.skip_compare += NOTED
