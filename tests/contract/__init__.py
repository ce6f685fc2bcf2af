"""What every connector must do, written once: a connector's tests are a fixture and an empty class a suite."""
