"""The command line, called in this process."""

from mlipgen import cli


def run(capsys, *arguments):
    """Exit status, standard output, standard error."""
    try:
        status = cli.main(list(arguments))
    except SystemExit as stop:
        status = stop.code
    captured = capsys.readouterr()
    return status, captured.out, captured.err
