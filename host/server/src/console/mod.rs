//! The console.
use axum::Router;
use crate::app::App;
use crate::problem::Problem;
pub(crate) struct Pages;
impl Pages { pub(crate) fn new() -> Result<Self, Problem> { Ok(Self) } }
pub(crate) fn router() -> Router<App> { Router::new() }
