"""Messages of extension classes: the upper half of the code is the class."""
