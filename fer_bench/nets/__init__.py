"""Networks: backbones, the slim ones of the quick recipes, strict loading of pre-trained weights.

It may import errors alone.
"""
