//! How a link reaches its gateway: TCP, or whatever a simulation puts in its place.

use std::future::Future;
use std::io;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

/// Opens connections to gateways.
pub trait Connector: Send + Sync + 'static {
    /// A connection.
    type Stream: AsyncRead + AsyncWrite + Send + Unpin + 'static;

    /// Opens one to `address`, host and port. The link bounds the time it takes.
    fn connect(&self, address: &str) -> impl Future<Output = io::Result<Self::Stream>> + Send;
}

/// Plain TCP, as carriers offer it over leased lines.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tcp;

impl Connector for Tcp {
    type Stream = TcpStream;

    async fn connect(&self, address: &str) -> io::Result<TcpStream> {
        let stream = TcpStream::connect(address).await?;
        // Writes are coalesced here already; waiting for more would only delay answers.
        stream.set_nodelay(true)?;
        Ok(stream)
    }
}
