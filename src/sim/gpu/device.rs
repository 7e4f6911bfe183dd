//! The device: opens it, keeps buffers of words on it, runs kernels. Nothing else knows wgpu.

use std::future::Future;
use std::ops::Range;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use crate::sim::Failed;

/// For how long an answer may keep us waiting, less than a watchdog allows; a device that takes longer
/// counts as lost.
const PATIENCE: Duration = Duration::from_secs(5);
/// Bytes of a word.
const WORD: u64 = 4;

/// Why there is no device.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("finding a Vulkan device")]
    Find(#[source] wgpu::RequestAdapterError),
    #[error("opening {name}")]
    Open {
        name: String,
        #[source]
        source: wgpu::RequestDeviceError,
    },
}

/// An open device.
#[derive(Debug)]
pub struct Device {
    device: wgpu::Device,
    queue: wgpu::Queue,
    name: String,
    is_software: bool,
    /// What went wrong first.
    failure: Arc<Mutex<Option<String>>>,
    /// How often it may still be asked for something, see [`Device::lose_after`].
    left: AtomicU64,
}

/// Words on a device.
#[derive(Clone, Debug)]
pub(super) struct Buffer {
    buffer: wgpu::Buffer,
    words: usize,
}

impl Buffer {
    pub(super) fn words(&self) -> usize {
        self.words
    }
}

/// A kernel that is ready to run.
#[derive(Clone, Debug)]
pub(super) struct Kernel {
    name: &'static str,
    pipeline: wgpu::ComputePipeline,
}

/// The buffers that a kernel works on.
#[derive(Debug)]
pub(super) struct Bound {
    pipeline: wgpu::ComputePipeline,
    group: wgpu::BindGroup,
}

/// Something for the device to do.
#[derive(Debug)]
pub(super) enum Work<'a> {
    /// Sets the first words to 0.
    Clear { buffer: &'a Buffer, words: usize },
    /// Runs a kernel in so many workgroups.
    Run { kernel: &'a Bound, groups: [u32; 3] },
}

/// Words on their way from a device.
#[derive(Debug)]
pub(super) struct Reading {
    staging: wgpu::Buffer,
    submission: wgpu::SubmissionIndex,
}

impl Device {
    /// Opens the fastest Vulkan device that there is, a software one if there is no other.
    pub fn open() -> Result<Self, OpenError> {
        let instance = wgpu::Instance::new(wgpu::InstanceDescriptor {
            backends: wgpu::Backends::VULKAN,
            flags: wgpu::InstanceFlags::empty(),
            ..wgpu::InstanceDescriptor::new_without_display_handle()
        });
        let adapter = at_once(instance.request_adapter(&wgpu::RequestAdapterOptions {
            power_preference: wgpu::PowerPreference::HighPerformance,
            ..Default::default()
        }))
        .map_err(OpenError::Find)?;
        let info = adapter.get_info();
        let name = info.name.clone();
        let (device, queue) = at_once(adapter.request_device(&wgpu::DeviceDescriptor {
            required_limits: adapter.limits(),
            ..Default::default()
        }))
        .map_err(|source| OpenError::Open { name: name.clone(), source })?;
        let failure = Arc::new(Mutex::new(None));
        let fail = |failure: &Mutex<Option<String>>, why: String| {
            failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(why);
        };
        let first = Arc::clone(&failure);
        device.set_device_lost_callback(move |_, why| fail(&first, why));
        let first = Arc::clone(&failure);
        device.on_uncaptured_error(Arc::new(move |error: wgpu::Error| {
            fail(&first, error.to_string());
        }));
        let is_software = info.device_type == wgpu::DeviceType::Cpu;
        Ok(Self { device, queue, name, is_software, failure, left: AtomicU64::new(u64::MAX) })
    }

    /// As its driver calls it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether it is a program on the processor.
    #[must_use]
    pub fn is_software(&self) -> bool {
        self.is_software
    }

    /// Makes it fail once it has been asked for so many more things, as a device does that is taken
    /// away.
    pub fn lose_after(&self, count: u64) {
        self.left.store(count, Ordering::Relaxed);
    }

    /// It is asked for something.
    fn ask(&self) {
        if self.left.fetch_sub(1, Ordering::Relaxed) == 0 {
            self.device.destroy();
        }
    }

    /// Whether it still works.
    pub(super) fn check(&self) -> Result<(), Failed> {
        let why = self.failure.lock().unwrap_or_else(PoisonError::into_inner).clone();
        why.map_or(Ok(()), |why| Err(Failed { name: self.name.clone(), why }))
    }

    fn failed(&self, why: impl ToString) -> Failed {
        let known = self.check().err();
        known.unwrap_or_else(|| Failed { name: self.name.clone(), why: why.to_string() })
    }

    /// Makes the kernel of the only entry point in `parts`, one source after the other.
    pub(super) fn kernel(&self, name: &'static str, parts: &[&str]) -> Result<Kernel, Failed> {
        self.ask();
        let module = self.device.create_shader_module(wgpu::ShaderModuleDescriptor {
            label: Some(name),
            source: wgpu::ShaderSource::Wgsl(parts.concat().into()),
        });
        let pipeline = self.device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: Some(name),
            layout: None,
            module: &module,
            entry_point: None,
            compilation_options: wgpu::PipelineCompilationOptions::default(),
            cache: None,
        });
        self.check()?;
        Ok(Kernel { name, pipeline })
    }

    /// Gives a kernel its buffers, in the order of their bindings.
    pub(super) fn bind(&self, kernel: &Kernel, buffers: &[&Buffer]) -> Result<Bound, Failed> {
        self.ask();
        let entries: Vec<_> = (0..)
            .zip(buffers)
            .map(|(binding, buffer)| wgpu::BindGroupEntry {
                binding,
                resource: buffer.buffer.as_entire_binding(),
            })
            .collect();
        let group = self.device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: Some(kernel.name),
            layout: &kernel.pipeline.get_bind_group_layout(0),
            entries: &entries,
        });
        self.check()?;
        Ok(Bound { pipeline: kernel.pipeline.clone(), group })
    }

    /// Makes a buffer of so many words, at least one, all of them 0.
    pub(super) fn buffer(&self, name: &str, words: usize) -> Result<Buffer, Failed> {
        self.ask();
        let words = words.max(1);
        let buffer = self.device.create_buffer(&wgpu::BufferDescriptor {
            label: Some(name),
            size: words as u64 * WORD,
            usage: wgpu::BufferUsages::STORAGE
                | wgpu::BufferUsages::COPY_SRC
                | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        self.check()?;
        Ok(Buffer { buffer, words })
    }

    /// Writes words from the one with index `first` on, before whatever is run next.
    pub(super) fn write(&self, buffer: &Buffer, first: usize, words: &[u32]) {
        self.ask();
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        self.queue.write_buffer(&buffer.buffer, first as u64 * WORD, &bytes);
    }

    /// Hands out work, to be done in its order; what one piece writes the next one reads.
    pub(super) fn run(&self, work: &[Work<'_>]) -> Result<(), Failed> {
        self.ask();
        let mut encoder = self.device.create_command_encoder(&Default::default());
        for work in work {
            match *work {
                Work::Clear { buffer, words } => {
                    encoder.clear_buffer(&buffer.buffer, 0, Some(words as u64 * WORD));
                }
                Work::Run { kernel, groups: [x, y, z] } => {
                    let mut pass = encoder.begin_compute_pass(&Default::default());
                    pass.set_pipeline(&kernel.pipeline);
                    pass.set_bind_group(0, &kernel.group, &[]);
                    pass.dispatch_workgroups(x, y, z);
                }
            }
        }
        self.queue.submit([encoder.finish()]);
        self.check()
    }

    /// Begins to read words, one part after the other, as they will be when the work so far is
    /// done.
    pub(super) fn read(&self, buffer: &Buffer, parts: &[Range<usize>]) -> Result<Reading, Failed> {
        self.ask();
        let size = |part: &Range<usize>| part.len() as u64 * WORD;
        let staging = self.device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("staging"),
            size: parts.iter().map(size).sum(),
            usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        let mut encoder = self.device.create_command_encoder(&Default::default());
        let mut to = 0;
        for part in parts {
            let from = part.start as u64 * WORD;
            encoder.copy_buffer_to_buffer(&buffer.buffer, from, &staging, to, Some(size(part)));
            to += size(part);
        }
        let submission = self.queue.submit([encoder.finish()]);
        // Whether that has worked shows when the bytes are looked at.
        staging.map_async(wgpu::MapMode::Read, .., |_| {});
        self.check()?;
        Ok(Reading { staging, submission })
    }

    /// Waits for words to be here.
    pub(super) fn take(&self, reading: Reading) -> Result<Vec<u32>, Failed> {
        self.ask();
        let Reading { staging, submission } = reading;
        let wait =
            wgpu::PollType::Wait { submission_index: Some(submission), timeout: Some(PATIENCE) };
        self.device.poll(wait).map_err(|error| self.failed(error))?;
        self.check()?;
        let bytes = staging.get_mapped_range(..).map_err(|error| self.failed(error))?;
        Ok(bytes.as_chunks().0.iter().map(|&word| u32::from_le_bytes(word)).collect())
    }
}

/// What a future comes to that never has to wait: outside a browser, none of wgpu's does.
fn at_once<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => unreachable!("wgpu answers at once outside a browser"),
    }
}
