"""What the containers run besides the product's own programs: nothing imports it, and it imports no Django."""
