"""What people and programs do through console and API alike, one module per kind of thing."""
