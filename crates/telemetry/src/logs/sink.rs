//! Where lines go.

use std::cell::RefCell;
use std::io::{Write, stderr, stdout};
use std::path::Path;

use tracing_appender::rolling::{RollingFileAppender, Rotation};

use super::background::LogThread;
use super::line::Line;
use super::{console, json};
use crate::config::{LogFormat, LogOutput};
use crate::error::TelemetryError;

/// Takes one finished line.
type Output = Box<dyn Fn(&[u8]) + Send + Sync>;

/// A place for lines in one form.
pub(crate) struct Sink {
    format: LogFormat,
    is_coloured: bool,
    output: Output,
}

thread_local! {
    /// Lines are put together here, so that one costs no new memory.
    static BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

impl Sink {
    pub(crate) fn new(format: LogFormat, is_coloured: bool, output: Output) -> Self {
        Self { format, is_coloured, output }
    }

    pub(crate) fn write(&self, line: &Line<'_>) {
        BUFFER.with_borrow_mut(|buffer| {
            buffer.clear();
            match self.format {
                LogFormat::Json => json::write(line, buffer),
                LogFormat::Console => console::write(line, self.is_coloured, buffer),
            }
            (self.output)(buffer);
        });
    }
}

/// A sink whose lines are written by a thread of its own.
pub(crate) struct BackgroundSink {
    pub(crate) sink: Sink,
    pub(crate) thread: LogThread,
}

fn background(format: LogFormat, is_coloured: bool, writer: impl Write + Send + 'static) -> std::io::Result<BackgroundSink> {
    let (lines, thread) = LogThread::start(writer)?;
    let sink = Sink::new(format, is_coloured, Box::new(move |line| lines.push(line)));
    Ok(BackgroundSink { sink, thread })
}

pub(crate) fn console_sink(format: LogFormat, is_coloured: bool, output: LogOutput) -> Result<BackgroundSink, TelemetryError> {
    let sink = match output {
        LogOutput::Stdout => background(format, is_coloured, stdout()),
        LogOutput::Stderr => background(format, is_coloured, stderr()),
    };
    sink.map_err(TelemetryError::LogThread)
}

/// Files `crewd.<YYYY-MM-DD-HH>.log` in UTC, always JSON.
pub(crate) fn file_sink(folder: &Path) -> Result<BackgroundSink, TelemetryError> {
    let refused = |reason: String| TelemetryError::LogFolder { folder: folder.to_owned(), reason };
    std::fs::create_dir_all(folder).map_err(|error| refused(error.to_string()))?;
    let files = RollingFileAppender::builder()
        .rotation(Rotation::HOURLY)
        .filename_prefix("crewd")
        .filename_suffix("log")
        .build(folder)
        .map_err(|error| refused(error.to_string()))?;
    background(LogFormat::Json, false, files).map_err(TelemetryError::LogThread)
}
