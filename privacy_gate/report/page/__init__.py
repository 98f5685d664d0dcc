"""What the HTML report is made of: views of a report, and pictures drawn as SVG."""
