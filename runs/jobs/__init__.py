"""Jobs: requests to start a run now, later, or on a cron schedule (CONTRACT §1)."""
