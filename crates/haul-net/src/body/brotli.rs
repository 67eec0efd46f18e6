//! A brotli decoder in memory that is counted.
//!
//! The peer chooses the window (up to 16 MiB) and how many code tables a metablock has (up to 4 MB of them), so what a decoder
//! takes is for it to say. The ring buffer of a long body lies in memory of its own that is fresh from the system, so that no
//! more of it is there than was decoded: a metablock may announce 16 MiB and bring a byte.

use std::cell::Cell;
use std::io;
use std::rc::Rc;

use async_compression::codecs::DecodeV2;
use async_compression::core::util::{PartialBuffer, WriteBuffer};
use brotli_decompressor::{
    Allocator, BrotliDecompressStream, BrotliResult, BrotliState, HuffmanCode, SliceWrapper, SliceWrapperMut,
};
use memmap2::MmapMut;

/// Buffers of at least so many bytes are mapped, and take memory as they are filled.
const MAPPED_FROM: usize = 1 << 20;

type DecoderState = BrotliState<CountingAllocator, CountingAllocator, CountingAllocator>;

/// A brotli decoder.
pub(super) struct BrotliDecoder {
    /// Boxed: it has more than 2 KiB.
    state: Box<DecoderState>,
    memory: Rc<BrotliMemory>,
}

/// What a decoder's buffers take.
#[derive(Debug, Default)]
struct BrotliMemory {
    /// Bytes of memory that is there from the beginning.
    whole: Cell<u64>,
    /// Bytes of memory that comes as it is filled.
    mapped: Cell<u64>,
}

impl BrotliDecoder {
    pub(super) fn new() -> Self {
        let memory = Rc::<BrotliMemory>::default();
        let allocator = || CountingAllocator(Rc::clone(&memory));
        // Strict: a "large window" is no HTTP coding.
        let state = Box::new(DecoderState::new_strict(allocator(), allocator(), allocator()));
        Self { state, memory }
    }

    /// The memory it takes once it has decoded `produced` bytes in all.
    pub(super) fn memory(&self, produced: u64) -> u64 {
        size_of::<DecoderState>() as u64 + self.memory.whole.get() + self.memory.mapped.get().min(produced)
    }

    fn step(&mut self, input: &mut PartialBuffer<&[u8]>, output: &mut WriteBuffer<'_>) -> io::Result<BrotliResult> {
        let (from, to) = (input.unwritten(), output.initialize_unwritten());
        let (mut used, mut produced) = (0, 0);
        let (mut left, mut room) = (from.len(), to.len());
        let result =
            BrotliDecompressStream(&mut left, &mut used, from, &mut room, &mut produced, to, &mut 0, &mut self.state);
        if matches!(result, BrotliResult::ResultFailure) {
            return Err(io::Error::other("brotli error"));
        }
        input.advance(used);
        output.advance(produced);
        Ok(result)
    }
}

impl DecodeV2 for BrotliDecoder {
    fn reinit(&mut self) -> io::Result<()> {
        *self = Self::new();
        Ok(())
    }

    fn decode(&mut self, input: &mut PartialBuffer<&[u8]>, output: &mut WriteBuffer<'_>) -> io::Result<bool> {
        Ok(matches!(self.step(input, output)?, BrotliResult::ResultSuccess))
    }

    fn flush(&mut self, output: &mut WriteBuffer<'_>) -> io::Result<bool> {
        Ok(!matches!(self.step(&mut PartialBuffer::new(&[][..]), output)?, BrotliResult::NeedsMoreOutput))
    }

    fn finish(&mut self, output: &mut WriteBuffer<'_>) -> io::Result<bool> {
        self.decode(&mut PartialBuffer::new(&[][..]), output)
    }
}

/// An allocator that counts what its decoder has.
struct CountingAllocator(Rc<BrotliMemory>);

/// Memory from it. Counted until it is given back; a decoder that is dropped as a whole is not asked any more.
#[derive(Debug)]
enum Block<T> {
    Plain(Vec<T>),
    Mapped(MmapMut),
}

impl<T> Default for Block<T> {
    fn default() -> Self {
        Self::Plain(Vec::new())
    }
}

impl CountingAllocator {
    fn plain<T: Clone + Default>(&self, len: usize) -> Vec<T> {
        add(&self.0.whole, len * size_of::<T>());
        vec![T::default(); len]
    }

    fn give<T>(&self, data: &[T]) {
        sub(&self.0.whole, size_of_val(data));
    }
}

fn add(count: &Cell<u64>, bytes: usize) {
    count.set(count.get() + bytes as u64);
}

fn sub(count: &Cell<u64>, bytes: usize) {
    count.set(count.get().saturating_sub(bytes as u64));
}

impl Allocator<u8> for CountingAllocator {
    type AllocatedMemory = Block<u8>;

    fn alloc_cell(&mut self, len: usize) -> Block<u8> {
        if len < MAPPED_FROM {
            return Block::Plain(self.plain(len));
        }
        // Too short a block is an error to the decoder, and no end of the process.
        MmapMut::map_anon(len).map_or_else(
            |_| Block::default(),
            |mapped| {
                add(&self.0.mapped, len);
                Block::Mapped(mapped)
            },
        )
    }

    fn free_cell(&mut self, data: Block<u8>) {
        match data {
            Block::Plain(bytes) => self.give(&bytes),
            Block::Mapped(bytes) => sub(&self.0.mapped, bytes.len()),
        }
    }
}

impl SliceWrapper<u8> for Block<u8> {
    fn slice(&self) -> &[u8] {
        match self {
            Self::Plain(bytes) => bytes,
            Self::Mapped(bytes) => bytes,
        }
    }
}

impl SliceWrapperMut<u8> for Block<u8> {
    fn slice_mut(&mut self) -> &mut [u8] {
        match self {
            Self::Plain(bytes) => bytes,
            Self::Mapped(bytes) => bytes,
        }
    }
}

/// Tables, which are always there as a whole.
#[derive(Debug)]
struct Table<T>(Vec<T>);

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> SliceWrapper<T> for Table<T> {
    fn slice(&self) -> &[T] {
        &self.0
    }
}

impl<T> SliceWrapperMut<T> for Table<T> {
    fn slice_mut(&mut self) -> &mut [T] {
        &mut self.0
    }
}

impl Allocator<u32> for CountingAllocator {
    type AllocatedMemory = Table<u32>;

    fn alloc_cell(&mut self, len: usize) -> Table<u32> {
        Table(self.plain(len))
    }

    fn free_cell(&mut self, data: Table<u32>) {
        self.give(&data.0);
    }
}

impl Allocator<HuffmanCode> for CountingAllocator {
    type AllocatedMemory = Table<HuffmanCode>;

    fn alloc_cell(&mut self, len: usize) -> Table<HuffmanCode> {
        Table(self.plain(len))
    }

    fn free_cell(&mut self, data: Table<HuffmanCode>) {
        self.give(&data.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::body::testing::Form;

    /// What is taken after each piece of `output` bytes, and what was decoded in all.
    fn watch(coded: &[u8], output: usize) -> (Vec<u64>, u64) {
        let (mut decoder, mut input) = (BrotliDecoder::new(), PartialBuffer::new(coded));
        let (mut piece, mut produced, mut memory) = (vec![0; output], 0, Vec::new());
        loop {
            let mut to = WriteBuffer::new_initialized(&mut piece);
            let ended = decoder.decode(&mut input, &mut to).expect("valid");
            produced += to.written_len() as u64;
            memory.push(decoder.memory(produced));
            if ended {
                return (memory, produced);
            }
        }
    }

    #[test]
    fn what_is_taken_grows_with_what_is_decoded() {
        let small = watch(&Form::Brotli.encode(&vec![b'a'; 2000]), 16 << 10);
        assert!(small.0.iter().all(|bytes| *bytes < 100 << 10), "{small:?}");
        let long: Vec<u8> = (0..3_000_000_u32).flat_map(|n| (n / 7).to_le_bytes()).collect();
        let (memory, produced) = watch(&Form::Brotli.encode(&long), 16 << 10);
        assert_eq!(produced, 12_000_000);
        let (most, first) = (memory.iter().max().expect("some"), memory[0]);
        assert!((4 << 20..6 << 20).contains(most), "a window of 4 MiB: {most}");
        assert!(first < 2 << 20, "{first}");
        assert!(memory.windows(2).all(|pair| pair[1] < pair[0] + (1 << 20)), "step by step");
    }

    #[test]
    fn a_window_that_is_announced_and_not_filled_takes_no_memory() {
        // A window of 16 MiB (1111) and a metablock, not the last one (0), whose length less one has six nibbles (10) and is all
        // ones, not compressed (1).
        let header = 0b100_1111_u64 | 0xff_ffff << 7 | 1 << 31;
        let mut decoder = BrotliDecoder::new();
        let mut coded = header.to_le_bytes()[..4].to_vec();
        coded.extend_from_slice(&[b'x'; 100]);
        let mut piece = vec![0; 16 << 10];
        let ended = decoder.decode(&mut PartialBuffer::new(&coded), &mut WriteBuffer::new_initialized(&mut piece));
        assert!(!ended.expect("valid so far"));
        assert_eq!(decoder.memory.mapped.get() >> 20, 16, "it was asked for");
        assert!(decoder.memory(100) < 64 << 10, "{}", decoder.memory(100));
    }
}
