//! A package index on this machine, over HTTP: one directory of wheels and source distributions, listed by package.
//!
//! It answers one request per connection and ends with the value. Requests are bounded in size and time.

use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

const LONGEST_REQUEST: usize = 16 << 10;

/// A running index.
#[derive(Debug)]
pub(crate) struct Index {
    address: SocketAddr,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Index {
    /// Serves the wheels and source distributions in a directory.
    pub(crate) fn serve(directory: &Path) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let (stopped, directory) = (Arc::clone(&stop), directory.to_owned());
        let thread = std::thread::spawn(move || {
            for connection in listener.incoming() {
                if stopped.load(Ordering::Relaxed) {
                    return;
                }
                let Ok(connection) = connection else { continue };
                let directory = directory.clone();
                // Clients keep connections open before they ask: one of them must not hold up the others.
                std::thread::spawn(move || answer(connection, &directory));
            }
        });
        Self { address, stop, thread: Some(thread) }
    }

    /// The URL of the simple index.
    pub(crate) fn simple(&self) -> String {
        format!("http://{}/simple/", self.address)
    }

    /// The URL of one of them.
    pub(crate) fn file(&self, name: &str) -> String {
        format!("http://{}/files/{name}", self.address)
    }
}

impl Drop for Index {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        drop(TcpStream::connect(self.address));
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

/// Answers one request; a client that goes away is no concern of the test.
fn answer(mut connection: TcpStream, directory: &Path) -> Option<()> {
    connection.set_read_timeout(Some(Duration::from_secs(10))).ok()?;
    let mut request = Vec::new();
    let mut buffer = [0; 2048];
    while !request.windows(4).any(|end| end == b"\r\n\r\n") {
        let length = connection.read(&mut buffer).ok().filter(|length| *length > 0)?;
        request.extend_from_slice(&buffer[..length]);
        if request.len() > LONGEST_REQUEST {
            return None;
        }
    }
    let text = String::from_utf8(request).ok()?;
    let mut words = text.split(' ');
    let (method, path) = (words.next()?, words.next()?);
    let body = page(path, directory).or_else(|| file(path, directory));
    let (status, kind, body) = match body {
        Some((kind, body)) => ("200 OK", kind, body),
        None => ("404 Not Found", "text/plain", b"not here\n".to_vec()),
    };
    let mut reply = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nCache-Control: max-age=600\r\nConnection: close\r\n\r\n",
        body.len()
    )
    .into_bytes();
    if method != "HEAD" {
        reply.extend(body);
    }
    connection.write_all(&reply).ok()
}

fn page(path: &str, directory: &Path) -> Option<(&'static str, Vec<u8>)> {
    let package = path.strip_prefix("/simple/")?.trim_end_matches('/').replace('-', "_");
    let mut names: Vec<String> = std::fs::read_dir(directory)
        .ok()?
        .filter_map(|item| item.ok()?.file_name().into_string().ok())
        .filter(|name| name.split('-').next() == Some(&package))
        .collect();
    names.sort();
    if names.is_empty() {
        return None;
    }
    let mut html = String::from("<!DOCTYPE html><html><body>\n");
    for name in names {
        writeln!(html, "<a href=\"/files/{name}\">{name}</a>").ok()?;
    }
    html.push_str("</body></html>\n");
    Some(("text/html", html.into_bytes()))
}

fn file(path: &str, directory: &Path) -> Option<(&'static str, Vec<u8>)> {
    let name = path.strip_prefix("/files/").filter(|name| !name.contains('/'))?;
    let path: PathBuf = directory.join(name);
    let kind = if name.ends_with(".tar.gz") { "application/gzip" } else { "application/zip" };
    Some((kind, std::fs::read(path).ok()?))
}
