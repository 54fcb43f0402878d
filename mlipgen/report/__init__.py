"""An assessment shown: as one HTML page, as text for the terminal, against an earlier one."""
