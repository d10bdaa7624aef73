//! The body, piece by piece.

use std::io::ErrorKind;

use bytes::{Buf, Bytes, BytesMut};
use tokio::net::TcpStream;

use super::head::Framing;
use super::pool::Pool;
use crate::http::failure::{HttpFailure, io_reason};

/// Room for one read.
const READ: usize = 8 * 1024;
/// Bytes of a chunk's size line, or of a trailer, at most.
const LONGEST_LINE: usize = 4 * 1024;

/// A body that is being read. Dropping it before its end closes the connection.
pub(in crate::http) struct PlainBody {
    stream: TcpStream,
    received: BytesMut,
    part: Part,
    keeps_alive: bool,
    pool: Pool,
}

/// What comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    /// So many bytes of a body of known length.
    Length(u64),
    /// The size of a chunk.
    ChunkSize,
    /// So many bytes of a chunk.
    Chunk(u64),
    /// The line end behind a chunk.
    ChunkEnd,
    /// Trailers, up to an empty line.
    Trailers,
    /// Everything up to the end of the connection.
    ToClose,
    /// Nothing.
    End,
}

impl PlainBody {
    pub(super) fn new(stream: TcpStream, received: BytesMut, framing: Framing, keeps_alive: bool, pool: Pool) -> Self {
        let part = match framing {
            Framing::Length(0) => Part::End,
            Framing::Length(length) => Part::Length(length),
            Framing::Chunked => Part::ChunkSize,
            Framing::Close => Part::ToClose,
        };
        Self { stream, received, part, keeps_alive, pool }
    }

    /// The next piece; `None` at the end.
    pub(in crate::http) async fn chunk(&mut self) -> Result<Option<Bytes>, HttpFailure> {
        loop {
            match self.take()? {
                Taken::Piece(piece) => return Ok(Some(piece)),
                Taken::End => return Ok(None),
                Taken::Nothing => {}
            }
            if read_some(&self.stream, &mut self.received).await? == 0 {
                if self.part == Part::ToClose {
                    self.part = Part::End;
                    return Ok(None);
                }
                return Err(HttpFailure::Broken("the connection was closed".to_owned()));
            }
        }
    }

    /// Whether all has been received, so that [`Self::finish`] is worth its call.
    pub(in crate::http) fn is_over(&mut self) -> bool {
        while let Ok(taken) = self.take() {
            match taken {
                Taken::End => return true,
                Taken::Piece(_) => {}
                Taken::Nothing => {
                    let read = self.stream.try_read_buf(&mut self.received);
                    if !matches!(read, Ok(bytes) if bytes > 0) {
                        return false;
                    }
                }
            }
        }
        false
    }

    /// Leaves the connection to the next call, if all has been read and the server agrees.
    pub(in crate::http) fn finish(self) {
        if self.part == Part::End && self.keeps_alive && self.received.is_empty() {
            self.pool.put(self.stream);
        }
    }

    /// Takes what can be taken from what was received.
    fn take(&mut self) -> Result<Taken, HttpFailure> {
        loop {
            match self.part {
                Part::End => return Ok(Taken::End),
                _ if self.received.is_empty() => return Ok(Taken::Nothing),
                Part::ToClose => return Ok(Taken::Piece(self.received.split().freeze())),
                Part::Length(left) => {
                    let (piece, left) = self.split(left);
                    self.part = if left == 0 { Part::End } else { Part::Length(left) };
                    return Ok(Taken::Piece(piece));
                }
                Part::Chunk(left) => {
                    let (piece, left) = self.split(left);
                    self.part = if left == 0 { Part::ChunkEnd } else { Part::Chunk(left) };
                    return Ok(Taken::Piece(piece));
                }
                Part::ChunkSize => match httparse::parse_chunk_size(&self.received) {
                    Ok(httparse::Status::Complete((length, size))) => {
                        self.received.advance(length);
                        self.part = if size == 0 { Part::Trailers } else { Part::Chunk(size) };
                    }
                    Ok(httparse::Status::Partial) if self.received.len() <= LONGEST_LINE => return Ok(Taken::Nothing),
                    Ok(httparse::Status::Partial) | Err(_) => return Err(broken_chunks()),
                },
                Part::ChunkEnd => {
                    if self.received.len() < 2 {
                        return Ok(Taken::Nothing);
                    }
                    if !self.received.starts_with(b"\r\n") {
                        return Err(broken_chunks());
                    }
                    self.received.advance(2);
                    self.part = Part::ChunkSize;
                }
                Part::Trailers => match self.received.windows(2).position(|pair| pair == b"\r\n") {
                    Some(0) => {
                        self.received.advance(2);
                        self.part = Part::End;
                    }
                    Some(line) => self.received.advance(line + 2),
                    None if self.received.len() <= LONGEST_LINE => return Ok(Taken::Nothing),
                    None => return Err(broken_chunks()),
                },
            }
        }
    }

    /// As much as there is of so many bytes, and how many are left.
    fn split(&mut self, wanted: u64) -> (Bytes, u64) {
        let length = usize::try_from(wanted).unwrap_or(usize::MAX).min(self.received.len());
        (self.received.split_to(length).freeze(), wanted.saturating_sub(length as u64))
    }
}

enum Taken {
    Piece(Bytes),
    /// More must be received first.
    Nothing,
    End,
}

fn broken_chunks() -> HttpFailure {
    HttpFailure::Broken("its chunks are not HTTP".to_owned())
}

/// Waits until something can be read, and only then makes room for it. Zero bytes are the end of the connection.
pub(super) async fn read_some(stream: &TcpStream, received: &mut BytesMut) -> Result<usize, HttpFailure> {
    let broken =
        |error: std::io::Error| HttpFailure::Broken(io_reason(error.kind()).unwrap_or("the connection was closed").to_owned());
    loop {
        stream.readable().await.map_err(broken)?;
        received.reserve(READ);
        match stream.try_read_buf(received) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            read => return read.map_err(broken),
        }
    }
}
