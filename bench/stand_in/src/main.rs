//! Stands in for EC2, SNS, STS, DynamoDB and the Runtime API while a function is measured.
//!
//! The services speak HTTP/1.1 over TLS, each on a port of its own, because in AWS they have different host names. Every
//! answer comes after the injected latency. The Runtime API and the control of this program speak plain HTTP on one more
//! port. Several processes of a function may wait at the Runtime API.
//!
//! `stand_in FILE` writes the certificate of its authority to FILE and prints its ports as JSON. It ends when its standard
//! input ends.

mod bucket;
mod counters;
mod dynamodb;
mod ec2;
mod network;
mod place;
mod runtime_api;
mod sns;
mod sts;
mod tls;

use std::{
    collections::HashMap,
    convert::Infallible,
    error::Error,
    io::Read,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant, SystemTime},
};

use http_body_util::{BodyExt, Full};
use hyper::{
    Method, Request, Response,
    body::{Bytes, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
};

use crate::{
    bucket::Bucket,
    counters::Counters,
    dynamodb::Table,
    network::Network,
    place::Place,
    runtime_api::{RuntimeApi, plain},
};

/// The body of a response.
pub type Body = Full<Bytes>;

/// A body with this content.
fn body(content: Bytes) -> Body {
    Full::new(content)
}

/// What is measured next.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
struct Settings {
    /// The number of VPCs, and how many of them have a gap.
    vpcs: usize,
    gaps: usize,
    /// The number of VPCs, the first ones, that have an interface endpoint.
    interface_endpoints: usize,
    /// The time that every call takes.
    latency_ms: u64,
    /// Whether EC2 throttles.
    buckets: bool,
    /// Whether DynamoDB keeps what is written.
    keeps_writes: bool,
}

struct World {
    settings: Settings,
    network: Arc<Network>,
    table: Table,
    /// EC2's bucket of each account and Region.
    buckets: HashMap<Place, Bucket>,
    counters: Counters,
}

#[derive(Clone)]
struct StandIn {
    world: Arc<Mutex<World>>,
    runtime_api: Arc<RuntimeApi>,
}

impl StandIn {
    fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A new measurement: the counters are zero, the buckets are full and the table is empty.
    fn reset(&self, settings: Settings) {
        let mut world = self.world();
        let size = |settings: &Settings| (settings.vpcs, settings.gaps, settings.interface_endpoints);
        if size(&settings) != size(&world.settings) {
            let (vpcs, gaps, interface_endpoints) = size(&settings);
            world.network = Arc::new(Network::new(vpcs, gaps, interface_endpoints));
        }
        world.table = Table::new(settings.keeps_writes);
        world.buckets.clear();
        world.counters = Counters::default();
        world.settings = settings;
    }

    /// A call of a service.
    async fn call(&self, request: Request<Incoming>) -> Result<Response<Body>, hyper::Error> {
        let arrived = Instant::now();
        if request.method() == Method::GET {
            return Ok(self.pinged(arrived).await);
        }
        let target = request.headers().get("x-amz-target").and_then(|value| value.to_str().ok());
        let dynamodb = target.and_then(|target| target.rsplit('.').next()).map(str::to_owned);
        let signature = request.headers().get("authorization").and_then(|value| value.to_str().ok());
        let place = Place::of(signature.unwrap_or_default());
        let content = request.into_body().collect().await?.to_bytes();
        let (latency, position, (status, text)) = {
            let mut world = self.world();
            let world = &mut *world;
            let form: HashMap<String, String> = if dynamodb.is_some() {
                HashMap::new()
            } else {
                form_urlencoded::parse(&content).into_owned().collect()
            };
            let operation = dynamodb.clone().or_else(|| form.get("Action").cloned()).unwrap_or_default();
            let position = world.counters.begin(&operation);
            let answer = if dynamodb.is_some() {
                world.table.answer(&operation, &serde_json::from_slice(&content).unwrap_or_default())
            } else if operation.starts_with("Describe") {
                let is_throttled = world.settings.buckets
                    && !world.buckets.entry(place.clone()).or_insert_with(|| Bucket::new(arrived)).take(arrived);
                if is_throttled {
                    world.counters.throttled += 1;
                    ec2::throttled()
                } else {
                    world.counters.name(ec2::named(&operation, &form));
                    world.counters.read(&place);
                    let (status, text) = ec2::answer(&world.network, &operation, &form);
                    (status, place.owned(text))
                }
            } else if operation == "AssumeRole" {
                sts::answer(&form, SystemTime::now())
            } else {
                if operation == "Publish" {
                    world.counters.messages += 1;
                }
                sns::answer(&operation)
            };
            (Duration::from_millis(world.settings.latency_ms), position, answer)
        };
        answer_after(latency, arrived).await;
        self.world().counters.end(position, text.len());
        let kind = if dynamodb.is_some() { "application/x-amz-json-1.0" } else { "text/xml;charset=UTF-8" };
        let mut response = plain(status, text.into());
        if let Ok(kind) = kind.parse() {
            response.headers_mut().insert("content-type", kind);
        }
        Ok(response)
    }

    /// A ping, which opens a connection and is no call.
    async fn pinged(&self, arrived: Instant) -> Response<Body> {
        let latency = Duration::from_millis(self.world().settings.latency_ms);
        answer_after(latency, arrived).await;
        plain(200, "healthy".into())
    }

    /// The Runtime API, and the control of this program.
    async fn control(&self, request: Request<Incoming>) -> Result<Response<Body>, hyper::Error> {
        let path = request.uri().path().to_owned();
        if path.ends_with("/invocation/next") {
            return Ok(self.runtime_api.next().await);
        }
        let content = request.into_body().collect().await?.to_bytes();
        let answer = match path.as_str() {
            "/control/reset" => match serde_json::from_slice(&content) {
                Ok(settings) => {
                    self.reset(settings);
                    json!({})
                }
                Err(error) => return Ok(plain(400, error.to_string().into())),
            },
            "/control/zero" => {
                let mut world = self.world();
                world.counters = Counters::default();
                world.buckets.clear();
                json!({})
            }
            "/control/latency" => {
                self.world().settings.latency_ms = serde_json::from_slice(&content).unwrap_or_default();
                json!({})
            }
            "/control/counters" => json!(self.world().counters),
            "/control/forget" => {
                self.runtime_api.forget();
                json!({})
            }
            "/control/ready" => json!({"since": self.runtime_api.ready().await}),
            "/control/invoke" => json!(self.runtime_api.invoke(content).await),
            _ => return Ok(self.runtime_api.answered(&path, &content)),
        };
        Ok(plain(200, answer.to_string().into()))
    }

    /// Serves one connection of a service.
    async fn serve_tls(self, stream: TcpStream, tls: tokio_rustls::TlsAcceptor) {
        // A handshake that fails is the client's failure, which reports it.
        if let Ok(stream) = tls.accept(stream).await {
            self.world().counters.handshakes += 1;
            let service = service_fn(|request| self.call(request));
            serve(stream, service).await;
        }
    }
}

/// Waits until a request that arrived at this time may be answered.
async fn answer_after(latency: Duration, arrived: Instant) {
    if !latency.is_zero() {
        // The timers of tokio are precise to a millisecond, which is too coarse here; those of the system are not.
        let left = latency.saturating_sub(arrived.elapsed());
        let _ = tokio::task::spawn_blocking(move || thread::sleep(left)).await;
    }
}

async fn serve<S>(stream: impl AsyncRead + AsyncWrite + Unpin, service: S)
where
    S: hyper::service::HttpService<Incoming, ResBody = Body, Error: Into<Box<dyn Error + Send + Sync>>>,
{
    // A client that is killed ends its connection in any state.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<Infallible, Box<dyn Error>> {
    let authority = std::env::args_os().nth(1).ok_or("usage: stand_in FILE")?;
    let tls = tls::acceptor(Path::new(&authority))?;
    let world = World {
        settings: Settings::default(),
        network: Arc::default(),
        table: Table::new(false),
        buckets: HashMap::new(),
        counters: Counters::default(),
    };
    let stand_in = StandIn { world: Arc::new(Mutex::new(world)), runtime_api: Arc::default() };
    let mut ports = serde_json::Map::new();
    for service in ["ec2", "sns", "sts", "dynamodb"] {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        ports.insert(service.to_owned(), Value::from(listener.local_addr()?.port()));
        let (stand_in, tls) = (stand_in.clone(), tls.clone());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let _ = stream.set_nodelay(true);
                *stand_in.world().counters.connections.entry(service).or_default() += 1;
                tokio::spawn(stand_in.clone().serve_tls(stream, tls.clone()));
            }
        });
    }
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    ports.insert("control".to_owned(), Value::from(listener.local_addr()?.port()));
    println!("{}", Value::Object(ports));
    thread::spawn(|| {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        std::process::exit(0);
    });
    loop {
        let (stream, _) = listener.accept().await?;
        let _ = stream.set_nodelay(true);
        let stand_in = stand_in.clone();
        tokio::spawn(async move { serve(stream, service_fn(|request| stand_in.control(request))).await });
    }
}
