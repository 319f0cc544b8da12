"""The servers that are measured; each is a module that gunicorn serves, or a program."""
