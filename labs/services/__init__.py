"""The writers of people and labs, one module per noun."""
