"""What happens between a command and its commit. Pure: the world arrives as ports."""
