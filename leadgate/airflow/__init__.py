"""What Airflow itself loads: provider information, plugin, trigger, hooks, deadlines. Imports nothing by itself."""
