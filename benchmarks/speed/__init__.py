"""What ``speed.py`` measures: the usual pipeline and our engine, each in processes of its own whose windows take turns.

Read job.py (one measurement), then rows.py (what is measured on which device).
"""
