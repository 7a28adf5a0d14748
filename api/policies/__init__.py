"""What a DBA and CI use on the policies: `saas-api policies`."""
