"""The steps of a study, one a module: ``make`` takes the data of a study and returns a product."""
