"""/dashboard/workflows: the pages of workflows and their versions."""
