"""The history over REST, with Django REST framework."""
