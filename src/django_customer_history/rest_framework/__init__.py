"""The history over REST, for Django REST framework."""
