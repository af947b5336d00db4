"""What is counted, in the words of Prometheus: collected when somebody asks, from what is counted anyway.

Agencies, datasets and fixed words are the only labels: no company and no caller is told of.
"""
