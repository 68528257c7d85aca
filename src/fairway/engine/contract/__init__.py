"""What the control side and the engine must agree on: names, errors, manifest, protocol."""
