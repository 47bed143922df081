//! A cell behind a process wall: the job goes in on stdin, messages come out on stdout, and
//! whatever happens to the process costs this cell alone.

use crate::cell::{self, Job};
use crate::memory;
use crate::message::Message;
use crate::record::{Record, Status};
use crate::units::{show_bytes, show_seconds};
use meg_core::{Control, Error, Event, Observer, Result};
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

/// The hidden subcommand under which the program computes one cell.
pub const SUBCOMMAND: &str = "cell";

/// How often the parent looks at the clock and at the stop flag.
const TICK: Duration = Duration::from_millis(50);

/// Steps closer together than this are not worth a line.
const STEP_INTERVAL: Duration = Duration::from_millis(100);

/// Computes a cell in a child process. `None` when `stop` was raised before the record came: the
/// child is ended and the cell counts as not begun. A record that has come is kept, however the
/// process ends.
pub fn compute(
    program: &Path,
    job: &Job,
    timeout: Option<Duration>,
    stop: &AtomicBool,
    hear: &mut dyn FnMut(&Message),
) -> Option<Record> {
    let mut command = Command::new(program);
    // The pools of the libraries take their sizes from the environment: rayon's, and the one of
    // candle that spins.
    let threads = job.threads.to_string();
    command.arg(SUBCOMMAND);
    command.env("RAYON_NUM_THREADS", &threads).env("CANDLE_NUM_THREADS", &threads);
    watch(command, job, timeout, stop, hear)
}

/// The child's side: reads a job, computes it, writes messages.
///
/// # Errors
/// When the job cannot be read or the memory limit cannot be set.
pub fn serve(input: &mut dyn Read, output: &mut dyn Write) -> Result<()> {
    let mut text = String::new();
    input.read_to_string(&mut text).map_err(|error| Error::Request(error.to_string()))?;
    let job: Job = serde_json::from_str(&text)
        .map_err(|error| Error::Request(format!("not a job of `meg bench`: {error}")))?;
    if let Some(bytes) = job.memory_limit {
        memory::limit(bytes)
            .map_err(|error| Error::Request(format!("the memory limit was refused: {error}")))?;
    }
    let mut pipe = Pipe { output, last_step: None, broken: false };
    let record = Box::new(cell::run(&job, &mut pipe));
    pipe.send(&Message::Record { record });
    Ok(())
}

/// Writes events as lines.
struct Pipe<'a> {
    output: &'a mut dyn Write,
    last_step: Option<Instant>,
    broken: bool,
}

impl Pipe<'_> {
    fn send(&mut self, message: &Message) {
        let line = serde_json::to_string(message).unwrap_or_default();
        let sent = writeln!(self.output, "{line}").and_then(|()| self.output.flush());
        self.broken |= sent.is_err();
    }
}

impl Observer for Pipe<'_> {
    fn event(&mut self, event: &Event<'_>) {
        if let Event::Step { .. } = event {
            if self.last_step.is_some_and(|last| last.elapsed() < STEP_INTERVAL) {
                return;
            }
            self.last_step = Some(Instant::now());
        }
        if let Some(message) = Message::of(event) {
            self.send(&message);
        }
    }

    // A parent that no longer listens has died; nobody would read the result.
    fn control(&mut self) -> Control {
        if self.broken { Control::Abort } else { Control::Continue }
    }
}

fn watch(
    mut command: Command,
    job: &Job,
    timeout: Option<Duration>,
    stop: &AtomicBool,
    hear: &mut dyn FnMut(&Message),
) -> Option<Record> {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    own_group(&mut command);
    let start = Instant::now();
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(error) => {
            let reason = format!("the process could not be started: {error}");
            return Some(job.record().ended(Status::Crashed, None, reason));
        }
    };
    let (messages, complaints) = connect(&mut child, job);
    let mut phase = None;
    let mut record = None;
    let end = loop {
        if stop.load(Ordering::Relaxed) {
            break End::Stopped;
        }
        if timeout.is_some_and(|limit| start.elapsed() >= limit) {
            break End::Late;
        }
        match messages.recv_timeout(TICK) {
            Ok(Message::Record { record: finished }) => record = Some(*finished),
            Ok(message) => {
                phase = message.phase().map(str::to_owned).or(phase);
                hear(&message);
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break End::Over,
        }
    };
    if end != End::Over {
        // It may be over by itself in this very moment; then there is nothing to end.
        let _ = child.kill();
    }
    let status = child.wait();
    let record = record.or_else(|| waiting_record(&messages));
    if record.is_some() {
        return record;
    }
    match end {
        End::Stopped => None,
        End::Late => {
            let limit = show_seconds(timeout.unwrap_or_default().as_secs_f64());
            let reason = format!("ended at the time limit of {limit}");
            Some(job.record().ended(Status::Timeout, phase, reason))
        }
        End::Over => {
            let words = complaints.recv().unwrap_or_default();
            let (status, reason) = explain(status.ok(), &words, job.memory_limit);
            Some(job.record().ended(status, phase, reason))
        }
    }
}

/// A finished cell that was on its way when the child was ended. The end of the child closes the
/// pipe, so that this waits only where something else holds it open, and then not for long.
fn waiting_record(messages: &Receiver<Message>) -> Option<Record> {
    while let Ok(message) = messages.recv_timeout(TICK) {
        if let Message::Record { record } = message {
            return Some(*record);
        }
    }
    None
}

#[derive(PartialEq)]
enum End {
    Over,
    Late,
    Stopped,
}

/// Feeds the job to the child and reads both of its outputs, each in a thread of its own, so that
/// no full pipe can block either side.
fn connect(child: &mut Child, job: &Job) -> (Receiver<Message>, Receiver<String>) {
    let text = serde_json::to_string(job).unwrap_or_default();
    if let Some(mut stdin) = child.stdin.take() {
        // A child that dies before it has read its job is explained by its exit status.
        std::thread::spawn(move || stdin.write_all(text.as_bytes()));
    }
    let (sender, messages) = mpsc::channel();
    if let Some(stdout) = child.stdout.take() {
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(std::result::Result::ok) {
                if let Ok(message) = serde_json::from_str(&line)
                    && sender.send(message).is_err()
                {
                    break;
                }
            }
        });
    }
    let (sender, complaints) = mpsc::channel();
    if let Some(mut stderr) = child.stderr.take() {
        std::thread::spawn(move || {
            let mut bytes = Vec::new();
            let _ = stderr.read_to_end(&mut bytes);
            let _ = sender.send(String::from_utf8_lossy(&bytes).into_owned());
        });
    }
    (messages, complaints)
}

/// Ctrl-C on a terminal goes to the whole group; the parent alone decides what becomes of cells.
#[cfg(unix)]
fn own_group(command: &mut Command) {
    use std::os::unix::process::CommandExt;
    command.process_group(0);
}

#[cfg(not(unix))]
fn own_group(_command: &mut Command) {}

#[cfg(unix)]
fn signal(status: ExitStatus) -> Option<i32> {
    use std::os::unix::process::ExitStatusExt;
    status.signal()
}

#[cfg(not(unix))]
fn signal(_status: ExitStatus) -> Option<i32> {
    None
}

fn explain(status: Option<ExitStatus>, words: &str, limit: Option<u64>) -> (Status, String) {
    const SIGKILL: i32 = 9;
    let limit = limit
        .map_or("no limit was set".into(), |bytes| format!("the limit was {}", show_bytes(bytes)));
    let short_of_memory = ["memory allocation of", "Cannot allocate memory", "out of memory"];
    if short_of_memory.iter().any(|sign| words.contains(sign)) {
        return (Status::OutOfMemory, format!("an allocation failed; {limit}"));
    }
    let killed_by = status.and_then(signal);
    if killed_by == Some(SIGKILL) {
        let reason = format!("killed by the system, most likely for lack of memory; {limit}");
        return (Status::OutOfMemory, reason);
    }
    let end = match (killed_by, status.and_then(|status| status.code())) {
        (Some(signal), _) => format!("the process was ended by signal {signal}"),
        (None, Some(code)) => format!("the process ended with exit code {code}"),
        (None, None) => "the process ended".into(),
    };
    match complaint(words) {
        Some(line) => (Status::Crashed, format!("{end}: {line}")),
        None => (Status::Crashed, end),
    }
}

/// What a panic said, without its backtrace and thread number; else the last line.
fn complaint(words: &str) -> Option<String> {
    let mut lines = words.lines().filter(|line| !line.trim().is_empty());
    let panic = lines.by_ref().find(|line| line.contains("panicked at"));
    let line = match panic {
        Some(place) => {
            let place = place.split_once("panicked at ").map_or(place, |(_, place)| place);
            format!("panicked at {place} {}", lines.next().unwrap_or_default())
        }
        None => words.lines().rev().find(|line| !line.trim().is_empty())?.to_owned(),
    };
    Some(line.trim().chars().take(300).collect())
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use crate::cell::fake::job;

    fn shell(script: &str, timeout: Option<Duration>) -> Option<Record> {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        watch(command, &job(), timeout, &AtomicBool::new(false), &mut |_| ())
    }

    fn check(script: &str, status: Status, phase: Option<&str>, part: &str) {
        let record = shell(script, Some(Duration::from_secs(1))).unwrap();
        assert_eq!((record.status, record.phase.as_deref()), (status, phase), "{script}");
        let reason = record.reason.unwrap();
        assert!(reason.contains(part), "{reason:?} should contain {part:?}");
    }

    #[test]
    fn every_end_is_recorded_with_phase_and_reason() {
        let begin = r#"echo '{"event":"start","phase":"train","total":9}'; "#;
        check(&format!("{begin} exit 3"), Status::Crashed, Some("train"), "exit code 3");
        check(&format!("{begin} kill -SEGV $$"), Status::Crashed, Some("train"), "signal 11");
        check(&format!("{begin} kill -KILL $$"), Status::OutOfMemory, Some("train"), "killed");
        check(&format!("{begin} exec sleep 9"), Status::Timeout, Some("train"), "time limit of 1");
        let panic =
            "echo \"thread 'main' panicked at src/x.rs:1:2:\" >&2; echo 'index 9' >&2; exit 101";
        check(panic, Status::Crashed, None, "panicked at src/x.rs:1:2: index 9");
        let starved = "echo 'memory allocation of 99 bytes failed' >&2; exit 134";
        check(starved, Status::OutOfMemory, None, "no limit was set");
        check("echo not json", Status::Crashed, None, "exit code 0");
    }

    fn finished() -> (Record, String) {
        let mut sent = job().record();
        sent.status = Status::Ok;
        let line = serde_json::to_string(&Message::Record { record: Box::new(sent.clone()) });
        (sent, format!("cat > /dev/null; echo '{}'", line.unwrap()))
    }

    #[test]
    fn a_record_comes_through() {
        let (sent, script) = finished();
        assert_eq!(shell(&script, None), Some(sent));
    }

    #[test]
    fn a_record_that_has_come_outlives_timeout_and_stop() {
        let (sent, script) = finished();
        let lingering = format!("{script}; exec sleep 9");
        assert_eq!(shell(&lingering, Some(Duration::from_secs(1))), Some(sent.clone()));
        let mut command = Command::new("sh");
        command.args(["-c", &lingering]);
        let stop = AtomicBool::new(false);
        let record = std::thread::scope(|scope| {
            scope.spawn(|| {
                std::thread::sleep(Duration::from_millis(700));
                stop.store(true, Ordering::Relaxed);
            });
            watch(command, &job(), None, &stop, &mut |_| ())
        });
        assert_eq!(record, Some(sent));
    }

    #[test]
    fn a_record_on_its_way_is_found() {
        let (sender, messages) = mpsc::channel();
        sender.send(Message::Note { text: "first".into() }).unwrap();
        sender.send(Message::Record { record: Box::new(job().record()) }).unwrap();
        assert!(waiting_record(&messages).is_some());
        assert!(waiting_record(&messages).is_none());
    }

    #[test]
    fn a_stop_ends_the_child_and_records_nothing() {
        let mut command = Command::new("sleep");
        command.arg("60");
        let start = Instant::now();
        assert_eq!(watch(command, &job(), None, &AtomicBool::new(true), &mut |_| ()), None);
        assert!(start.elapsed() < Duration::from_secs(10));
    }
}
