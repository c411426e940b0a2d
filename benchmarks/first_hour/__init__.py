"""The first hour with a GPU: its parts, each a process with a time limit, and the page of what they found."""
