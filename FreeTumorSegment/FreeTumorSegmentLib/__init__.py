"""What the module FreeTumor Segment is made of: label maps as segments, and the panels of the widget."""
