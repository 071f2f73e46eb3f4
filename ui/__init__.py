"""The page: Streamlit views that speak HTTP to the API and know nothing else of the service."""
