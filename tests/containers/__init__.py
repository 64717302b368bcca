"""The product in containers, through the front end's port. Needs a Docker engine with Compose; `make test-containers`."""
