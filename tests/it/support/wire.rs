//! A network that can fail: a TCP proxy inside the test's process, with weather that the test makes.
//! Always true: bytes arrive in order and unchanged, or not at all; a change of weather meets connections that are open, too.
//! Not here: what is said over the wire (the vendors' simulator and PostgreSQL do that).

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::task::AbortOnDropHandle;

/// What the network does with what it is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weather {
    /// Everything arrives.
    Fair,
    /// Every piece takes so many milliseconds.
    Slow(u64),
    /// Connections are closed as soon as they come to be.
    Refusing,
    /// Requests are lost, and their connections closed.
    LosesRequests,
    /// Requests arrive; their answers are lost, and the connections closed.
    LosesAnswers,
    /// Half of an answer's first piece arrives; then the connection is closed.
    CutsAnswers,
    /// Nothing arrives any more, and nobody is told: a connection that is half open.
    Silent,
    /// As fair, until a request has this text in it: that arrives, its answer does not, and the connection is closed. Once.
    LosesAnswerTo(&'static str),
}

/// The proxy before one address.
#[derive(Debug)]
pub struct Wire {
    /// Where it listens.
    pub address: SocketAddr,
    weather: Arc<Mutex<Weather>>,
    _listening: AbortOnDropHandle<()>,
}

/// One connection through it.
struct Connection {
    weather: Arc<Mutex<Weather>>,
    client: TcpStream,
    server: TcpStream,
}

impl Wire {
    /// A proxy before this address, in fair weather.
    pub async fn before(target: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a spare port");
        let address = listener.local_addr().expect("it is bound");
        let weather = Arc::new(Mutex::new(Weather::Fair));
        let of_each = Arc::clone(&weather);
        let listening = tokio::spawn(async move {
            loop {
                let Ok((client, _)) = listener.accept().await else { continue };
                if *of_each.lock().unwrap() == Weather::Refusing {
                    continue;
                }
                let weather = Arc::clone(&of_each);
                tokio::spawn(async move {
                    if let Ok(server) = TcpStream::connect(target).await {
                        // However it ends: both ends are closed by then.
                        let _ = Connection { weather, client, server }.pass().await;
                    }
                });
            }
        });
        Self { address, weather, _listening: AbortOnDropHandle::new(listening) }
    }

    /// Changes the weather, for connections that are open as well.
    pub fn turn(&self, weather: Weather) {
        *self.weather.lock().unwrap() = weather;
    }

    /// The weather as it is.
    pub fn weather(&self) -> Weather {
        *self.weather.lock().unwrap()
    }
}

impl Connection {
    fn weather(&self) -> Weather {
        *self.weather.lock().unwrap()
    }

    async fn pass(mut self) -> io::Result<()> {
        let (mut up, mut down) = (vec![0; 16_384], vec![0; 16_384]);
        loop {
            let goes_on = tokio::select! {
                read = self.client.read(&mut up) => self.send(&up[..read?]).await?,
                read = self.server.read(&mut down) => self.answer(&down[..read?]).await?,
            };
            if !goes_on {
                return Ok(());
            }
        }
    }

    /// A piece of a request; tells whether the connection stays.
    async fn send(&mut self, piece: &[u8]) -> io::Result<bool> {
        let weather = self.weather();
        match weather {
            Weather::Refusing | Weather::LosesRequests => return Ok(false),
            Weather::Silent if !piece.is_empty() => return Ok(true),
            Weather::Slow(millis) => tokio::time::sleep(Duration::from_millis(millis)).await,
            _ => {}
        }
        self.server.write_all(piece).await?;
        if let Weather::LosesAnswerTo(text) = weather
            && piece.windows(text.len()).any(|part| part == text.as_bytes())
        {
            *self.weather.lock().unwrap() = Weather::Fair;
            // It has arrived, and is done, when it is answered.
            self.server.readable().await?;
            return Ok(false);
        }
        Ok(!piece.is_empty())
    }

    /// A piece of an answer; tells whether the connection stays.
    async fn answer(&mut self, piece: &[u8]) -> io::Result<bool> {
        match self.weather() {
            Weather::Refusing | Weather::LosesAnswers => return Ok(false),
            Weather::CutsAnswers => {
                self.client.write_all(&piece[..piece.len() / 2]).await?;
                return Ok(false);
            }
            Weather::Silent if !piece.is_empty() => return Ok(true),
            Weather::Slow(millis) => tokio::time::sleep(Duration::from_millis(millis)).await,
            _ => {}
        }
        self.client.write_all(piece).await?;
        Ok(!piece.is_empty())
    }
}
