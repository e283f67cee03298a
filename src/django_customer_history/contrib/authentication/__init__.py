"""Log-ins, log-outs, failed log-ins, password resets and impersonation as entries of the log."""
