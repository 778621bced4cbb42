"""Pages of people and labs, one module per noun."""
