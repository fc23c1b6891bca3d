"""What needs Spark: session, tables, windows, preprocessing, sampling and scoring."""
