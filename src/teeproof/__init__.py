"""Check what trusted hardware says about itself."""
