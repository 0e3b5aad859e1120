"""The org's log as pages: read, searched, followed, downloaded."""
