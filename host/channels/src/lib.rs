//! Carrier links: pacing, windows, receipts; the only crate that talks to carriers.
