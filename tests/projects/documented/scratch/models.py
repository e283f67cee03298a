"""Where models stand that a block of the documents defines."""
