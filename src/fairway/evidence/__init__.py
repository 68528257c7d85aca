"""What a promotion rests on."""
