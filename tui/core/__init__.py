"""Values and pure logic: time and randomness are arguments, nothing here waits, reads or writes."""
