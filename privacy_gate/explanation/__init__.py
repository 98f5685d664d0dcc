"""A configuration in sentences for whoever answers for privacy and does not read YAML.

``limits`` says what a budget tolerates, ``attacks`` what an attack looks at, ``page`` everything.
Files are read, no model and no record.
"""
