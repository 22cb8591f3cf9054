"""A call center behind SOAP, without a line of Python: connector.yaml and a WSDL. README.md says how to make it yours."""
