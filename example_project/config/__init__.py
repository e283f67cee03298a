"""The project around the CRM: settings, URLs and entry points of servers."""
