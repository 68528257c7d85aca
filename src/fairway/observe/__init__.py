"""What is made of what hosts say and have on record: at a glance, as rates, as a timeline, as figures. Decides only."""
