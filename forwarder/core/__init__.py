"""Pure logic: opens nothing, logs nothing, reads no clock and no global random."""
