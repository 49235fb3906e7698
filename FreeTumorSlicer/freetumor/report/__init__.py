"""Pictures and reports of synthetic tumors."""
