"""The conductor: brings the CRM in line with the source, through ports and the store alone."""
