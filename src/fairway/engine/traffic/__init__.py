"""Moving the host nginx's forwards from the existing set-up to Fairway's path, and back."""
