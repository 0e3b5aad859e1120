"""The settings of an organization, as pages."""
