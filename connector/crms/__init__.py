"""Where records go: one folder per CRM."""
