"""The contracts that every Modelry plugin keeps, as a pytest plugin."""
