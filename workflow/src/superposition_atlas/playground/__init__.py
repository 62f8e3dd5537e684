"""Slide 4, feature understanding at the dawn: small networks on data in the plane.

As in the TensorFlow Playground, playground.tensorflow.org (Smilkov et al. 2017, *Direct-Manipulation
Visualization of Deep Networks*). What it draws is kept here: every neuron's response over the plane, the
weights between them, the decision surface with the data, and the loss as it falls.
"""
