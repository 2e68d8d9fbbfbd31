"""A toy shop: the product that the example tests are about."""
