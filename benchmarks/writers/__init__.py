"""Part `writers`: whether those who save the same popular stock at the same time wait for each other."""
