//! Talk on stderr: a bar on a terminal, plain lines elsewhere. No colours, so `NO_COLOR` is always honoured.

use std::io::{IsTerminal, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// How often a bar moves although nothing happens.
const TICK: Duration = Duration::from_millis(200);

/// Where talk goes. Cheap to clone.
#[derive(Clone)]
pub struct Talk(Arc<Kind>);

enum Kind {
    /// On a terminal; the bar is made when there is something to show.
    Bar(Mutex<Option<ProgressBar>>),
    /// Elsewhere; what was last said, so that it is not said again.
    Lines(Mutex<String>),
}

impl Talk {
    /// Talk on stderr.
    pub fn new() -> Self {
        let terminal = std::io::stderr().is_terminal();
        Self(Arc::new(if terminal { Kind::Bar(Mutex::default()) } else { Kind::Lines(Mutex::default()) }))
    }

    /// A line that stays.
    pub fn line(&self, text: &str) {
        match &*self.0 {
            Kind::Bar(bar) => match &*lock(bar) {
                Some(bar) => bar.println(text),
                None => to_stderr(text),
            },
            Kind::Lines(_) => to_stderr(text),
        }
    }

    /// What is now so; it replaces what was so before.
    pub fn now(&self, text: &str, percent: Option<f32>) {
        match &*self.0 {
            Kind::Bar(slot) => {
                let mut slot = lock(slot);
                let bar = slot.get_or_insert_with(|| bar("{spinner} {msg}"));
                bar.set_style(style(if percent.is_some() {
                    "{bar:20} {percent:>3} %  {wide_msg}"
                } else {
                    "{spinner} {wide_msg}"
                }));
                bar.set_length(100);
                bar.set_position(percent.map_or(0, |percent| percent.clamp(0.0, 100.0) as u64));
                bar.set_message(text.to_owned());
            }
            Kind::Lines(last) => {
                let mut last = lock(last);
                if *last != text {
                    to_stderr(text);
                    text.clone_into(&mut last);
                }
            }
        }
    }

    /// So many bytes are going to be read.
    pub fn bytes(&self, total: u64) {
        if let Kind::Bar(slot) = &*self.0 {
            let bar = bar("{bar:20} {percent:>3} %  checking {bytes} of {total_bytes}, {bytes_per_sec}");
            bar.set_length(total);
            *lock(slot) = Some(bar);
        }
    }

    /// So many more were read.
    pub fn read(&self, bytes: u64) {
        if let Kind::Bar(slot) = &*self.0
            && let Some(bar) = &*lock(slot)
        {
            bar.inc(bytes);
        }
    }

    /// Takes the bar away.
    pub fn finish(&self) {
        if let Kind::Bar(slot) = &*self.0
            && let Some(bar) = lock(slot).take()
        {
            bar.finish_and_clear();
        }
    }
}

fn bar(template: &str) -> ProgressBar {
    let bar = ProgressBar::new(100).with_style(style(template));
    bar.enable_steady_tick(TICK);
    bar
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).expect("the templates of this file are valid").progress_chars("=> ")
}

/// Nothing that is shown can be left half done by a panic.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn to_stderr(text: &str) {
    // Without a stderr there is nobody to tell.
    let _ = writeln!(std::io::stderr(), "{text}");
}
