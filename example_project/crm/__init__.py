"""A CRM of an alarm dealer, as small as one can be that has the shapes of a real one."""
