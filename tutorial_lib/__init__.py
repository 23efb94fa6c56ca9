"""Support library of the course: what chapters import, check, plot and are built with."""
