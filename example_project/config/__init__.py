"""The project of the CRM: settings, URLs and entry points for servers."""
