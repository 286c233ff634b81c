//! The guest's allocator and panic handler.
//!
//! The host starts a fresh instance for each batch, so nothing needs to be freed: memory is taken from the end of what the guest has, and
//! the newest piece can grow in place, which is how a list of decisions grows without a copy. Where a host uses an instance for several
//! calls, it says after each that it has read the result (`post-return`); a policy keeps nothing between calls, so all is free again.

use core::alloc::{GlobalAlloc, Layout};
use core::arch::wasm32;
use core::cell::{Cell, UnsafeCell};

const PAGE: usize = 65_536;
/// What a guest has from the beginning: a batch of 4096 rows, its columns and its answers. Growing memory is a system call in the host, there
/// and back for each instance; pages that stay untouched cost nothing.
const ROOM: usize = 7 * PAGE;
/// Beyond that, memory grows by at least this many pages.
const GROW_PAGES: usize = 8;

struct Arena {
    room: UnsafeCell<[u8; ROOM]>,
    next: Cell<usize>,
    end: Cell<usize>,
    /// Whether memory is taken from beyond the room, where it can grow.
    beyond: Cell<bool>,
}

// SAFETY: a guest has one thread; the host refuses modules with shared memory.
unsafe impl Sync for Arena {}

unsafe extern "C" {
    static __heap_base: u8;
}

impl Arena {
    /// Takes `size` bytes at the next address with this alignment; null if the host refuses the memory.
    fn take(&self, size: usize, align: usize) -> *mut u8 {
        if self.end.get() == 0 {
            self.next.set(self.room.get() as usize);
            self.end.set(self.next.get() + ROOM);
        }
        let at = self.next.get().next_multiple_of(align);
        let Some(end) = at.checked_add(size) else { return core::ptr::null_mut() };
        if end <= self.end.get() {
            self.next.set(end);
            return at as *mut u8;
        }
        self.take_beyond(size, align)
    }

    #[cold]
    fn take_beyond(&self, size: usize, align: usize) -> *mut u8 {
        if !self.beyond.replace(true) {
            // The linker defines the symbol; only its address is used.
            self.next.set(&raw const __heap_base as usize);
            self.end.set(wasm32::memory_size::<0>() * PAGE);
        }
        let at = self.next.get().next_multiple_of(align);
        let Some(end) = at.checked_add(size) else { return core::ptr::null_mut() };
        if end > self.end.get() {
            let pages = (end - self.end.get()).div_ceil(PAGE).max(GROW_PAGES);
            if wasm32::memory_grow::<0>(pages) == usize::MAX {
                return core::ptr::null_mut();
            }
            self.end.set(self.end.get() + pages * PAGE);
        }
        self.next.set(end);
        at as *mut u8
    }
}

// SAFETY: pieces never overlap: each begins where the one before ended, and only the newest grows in place.
unsafe impl GlobalAlloc for Arena {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        self.take(layout.size(), layout.align())
    }

    unsafe fn dealloc(&self, _: *mut u8, _: Layout) {}

    unsafe fn realloc(&self, old: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if size <= layout.size() {
            return old;
        }
        let newest = old as usize + layout.size() == self.next.get();
        let grown = (old as usize).checked_add(size).filter(|end| newest && *end <= self.end.get());
        if let Some(end) = grown {
            self.next.set(end);
            return old;
        }
        let new = self.take(size, layout.align());
        if !new.is_null() {
            // SAFETY: the new piece is larger than the old one and does not overlap it.
            unsafe { core::ptr::copy_nonoverlapping(old, new, layout.size()) };
        }
        new
    }
}

/// Everything is free again: the host has read the result of the call.
pub(crate) fn reset() {
    ARENA.end.set(0);
    ARENA.beyond.set(false);
}

#[global_allocator]
static ARENA: Arena =
    Arena { room: UnsafeCell::new([0; ROOM]), next: Cell::new(0), end: Cell::new(0), beyond: Cell::new(false) };

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    wasm32::unreachable()
}
