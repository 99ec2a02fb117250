"""The report to send: one page that shows a whole case to somebody who was not there, as HTML or as Markdown."""
