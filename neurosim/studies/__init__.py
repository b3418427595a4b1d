"""What people do with both planes: experiments, their records, reports and figures."""
