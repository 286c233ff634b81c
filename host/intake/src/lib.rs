//! Imports: CSV and XLSX rows to typed changes, with reject reports.
