"""What starts and tests the project: `make run`, the tests' broker, `make test-compose`."""
